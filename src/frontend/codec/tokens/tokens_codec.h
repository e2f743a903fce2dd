// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::tokens {

// POST /tokenize and /detokenize, in the words of vLLM and of llama-server; errors are OpenAI's.
// Outlives the server that its Api is mounted on. Thread-safe: keeps no state between requests.
class TokensCodec {
 public:
  TokensCodec(ModelCatalog catalog, Submit submit);

  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;

  void tokenize(const ExchangePtr& exchange) const;
  void detokenize(const ExchangePtr& exchange) const;
  // The model of that name; without one the only language model there is.
  [[nodiscard]] Result<ModelReference> model_of(const std::string& name) const;

  const ModelCatalog catalog_;
  const Submit submit_;
};

}  // namespace cortex::frontend::tokens
