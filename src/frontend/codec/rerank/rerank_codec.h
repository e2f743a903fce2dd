// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::rerank {

// POST /v1/rerank, /rerank and /v2/rerank, in the words of Jina, Cohere and vLLM; errors are
// OpenAI's. Outlives the server that its Api is mounted on. Thread-safe: keeps no state between
// requests.
class RerankCodec {
 public:
  explicit RerankCodec(Submit submit);

  [[nodiscard]] Api make_api();

 private:
  void rerank(const std::shared_ptr<Exchange>& exchange, bool return_documents) const;

  const Submit submit_;
};

}  // namespace cortex::frontend::rerank
