// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::ollama {

struct OllamaCall;

struct OllamaOptions {
  std::string version;  // what /api/version says
  std::function<std::int64_t()> now = unix_milliseconds;
};

// Ollama's own API: chat, generate, embed, and the lists of models.
// Outlives the server that its Api is mounted on. Thread-safe: keeps no state between requests.
class OllamaCodec {
 public:
  OllamaCodec(ModelCatalog catalog, Submit submit, OllamaOptions options);

  // The routes, below "/api".
  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kEntries[];

  void chat(const ExchangePtr& exchange) const;
  void generate(const ExchangePtr& exchange) const;
  void embed(const ExchangePtr& exchange) const;
  void tags(const ExchangePtr& exchange) const;
  void running(const ExchangePtr& exchange) const;
  void show(const ExchangePtr& exchange) const;
  void version(const ExchangePtr& exchange) const;

  void answer(const ExchangePtr& exchange, OllamaCall&& call, bool chat) const;
  [[nodiscard]] std::string list(bool running) const;

  const ModelCatalog catalog_;
  const Submit submit_;
  const OllamaOptions options_;
  const std::int64_t started_;
};

}  // namespace cortex::frontend::ollama
