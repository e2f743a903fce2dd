// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"
#include "frontend/random_stem.h"

namespace cortex::frontend::anthropic {

struct AnthropicOptions {
  std::function<std::string()> draw = random_stem;  // what ids are made of
};

// Anthropic's API: messages.
// Outlives the server that its Api is mounted on. Thread-safe: keeps no state between requests.
class AnthropicCodec {
 public:
  explicit AnthropicCodec(Submit submit, AnthropicOptions options = {});

  // The routes, below "/v1".
  [[nodiscard]] Api make_api();

 private:
  void messages(const std::shared_ptr<Exchange>& exchange) const;
  void count_tokens(const std::shared_ptr<Exchange>& exchange) const;

  const Submit submit_;
  const AnthropicOptions options_;
};

}  // namespace cortex::frontend::anthropic
