// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "frontend/codec/model_catalog.h"
#include "frontend/codec/responses/response_book.h"
#include "frontend/codec/responses/responses_request.h"
#include "frontend/http/exchange.h"
#include "frontend/random_stem.h"
#include "request/model_reference.h"

namespace cortex::frontend::responses {

// Bytes of the items that a conversation has already.
inline constexpr std::size_t kConversationBytesMax = 4UL * 1024 * 1024;

struct ResponsesOptions {
  ResponseBook* book = nullptr;  // outlives the codec; null: nothing is kept
  std::chrono::milliseconds ttl = std::chrono::hours(24 * 30);
  std::function<std::int64_t()> now = unix_milliseconds;
  std::function<std::string()> draw = random_stem;  // what ids are made of
};

// OpenAI's Responses API: answers that are kept, and conversations that go on from them.
// Outlives the server that its Api is mounted on. Thread-safe.
class ResponsesCodec {
 public:
  ResponsesCodec(Submit submit, ResponsesOptions options);

  // The routes, below "/v1/responses".
  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  using Turns = std::vector<std::string>;
  using CallPtr = std::shared_ptr<ResponsesCall>;
  struct Entry;
  static const Entry kEntries[];

  void create(const ExchangePtr& exchange) const;
  void count_tokens(const ExchangePtr& exchange) const;
  void no_such_path(const ExchangePtr& exchange) const;
  void get(const ExchangePtr& exchange) const;
  void remove(const ExchangePtr& exchange) const;
  void cancel(const ExchangePtr& exchange) const;
  void input_items(const ExchangePtr& exchange) const;

  // Answers with what `write` makes of the response that the path names.
  void find_and_reply(
      const ExchangePtr& exchange,
      std::function<Result<std::string>(const HttpRequest&, const KeptResponse&)> write
  ) const;
  // From the body to start(), over the book where a conversation goes on.
  void take(const ExchangePtr& exchange, Result<ResponsesCall> read) const;
  void go_on(const ExchangePtr& exchange, const CallPtr& call, Result<Turns> turns) const;
  void start(const ExchangePtr& exchange, ResponsesCall& call, std::vector<Item> before) const;
  void count(const ExchangePtr& exchange, ResponsesCall& call, ModelReference model) const;
  [[nodiscard]] std::function<bool(std::string, std::string)> keeper(
      const ExchangePtr& exchange, const ResponsesCall& call, const std::string& id
  ) const;

  const Submit submit_;
  const ResponsesOptions options_;
};

}  // namespace cortex::frontend::responses
