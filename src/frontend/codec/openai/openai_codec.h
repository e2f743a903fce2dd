// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "frontend/codec/model_catalog.h"
#include "frontend/codec/openai/stream_socket.h"
#include "frontend/http/exchange.h"
#include "frontend/random_stem.h"

namespace cortex::frontend::openai {

struct OpenAiOptions {
  std::int64_t created = 0;               // seconds since the epoch that the list of models shows
  std::string fingerprint = "fp_cortex";  // `system_fingerprint` of answers
  std::function<std::int64_t()> now = unix_milliseconds;  // what `created` of answers says
  StreamSocketOptions sockets = {};
  std::function<std::string()> draw = random_stem;  // what ids of answers are made of
};

// OpenAI's API: chat and text completions, embeddings and models; and chats over a WebSocket.
// Outlives the server that its Api is mounted on. Thread-safe: keeps no state between requests.
class OpenAiCodec {
 public:
  OpenAiCodec(ModelCatalog catalog, Submit submit, OpenAiOptions options);

  // The routes, below "/v1".
  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kEntries[];

  void list_models(const ExchangePtr& exchange) const;
  void model(const ExchangePtr& exchange) const;
  void embeddings(const ExchangePtr& exchange) const;
  void chat(const ExchangePtr& exchange) const;
  void completion(const ExchangePtr& exchange) const;
  [[nodiscard]] std::vector<OfferedAdapter> adapters() const;
  void socket(const ExchangePtr& exchange) const;
  void generate(const ExchangePtr& exchange, const std::string& id) const;

  const ModelCatalog catalog_;
  const Submit submit_;
  const OpenAiOptions options_;
};

}  // namespace cortex::frontend::openai
