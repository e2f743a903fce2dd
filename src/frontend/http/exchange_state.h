// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "frontend/http/exchange.h"
#include "frontend/http/http_fault.h"

namespace cortex::frontend {

class Connection;
class IoLoop;

// What a connection and the handler's Exchange know about one request in common. Shared by both, so
// that either may go first.
struct ExchangeState {
  // Fixed before the handler sees it.
  std::shared_ptr<IoLoop> loop;
  std::shared_ptr<Connection> connection;
  HttpRequest request;
  const Api* api = nullptr;
  bool http10 = false;
  bool streams_body = false;
  bool upgraded = false;    // bytes in both directions
  bool in_handler = false;  // counts as an open exchange
  std::size_t stream_queue_limit = 0;

  // The handler's until it replied, then the loop's.
  RequestRecord record;

  // Shared.
  std::atomic<bool> answered{false};  // reply, fail or begin_stream was called
  std::atomic<bool> client_left{false};
  std::atomic<std::size_t> queued_bytes{0};  // of a stream, not sent yet

  // The loop's.
  bool complete = false;  // the whole answer is in the send queue
  bool streaming = false;
  std::optional<std::uint64_t> stream_left;  // of the announced length; empty: chunks
  bool settled = false;                      // its record is out
  std::function<void()> disconnected;
  std::function<void()> writable;
  std::function<void(Exchange::Notice)> notice;
  bool told_stalled = false;
  std::function<void()> beat;  // whenever nothing was written for `beat_interval`
  std::chrono::milliseconds beat_interval{0};
  TimePoint last_write{};
  std::function<void(Result<Exchange::BodyPart>)> take_part;  // waits for the next part
  std::optional<HttpFault> body_fault;                        // why no further part will come
};

// The handler's end of a request. Any one thread at a time.
class HttpExchange final : public Exchange {
 public:
  explicit HttpExchange(std::shared_ptr<ExchangeState> state) : state_(std::move(state)) {}
  ~HttpExchange() override;

  [[nodiscard]] const HttpRequest& request() const override { return state_->request; }
  [[nodiscard]] RequestRecord& record() override { return state_->record; }
  void post(std::function<void()> work) override;
  void reply(HttpReply reply) override;
  void fail(const Status& status) override;
  void begin_stream(HttpReply head) override;
  [[nodiscard]] bool write(std::string chunk) override;
  void on_writable(std::function<void()> wake) override;
  void end_stream() override;
  void end_with(std::string last) override;
  void on_notice(std::function<void(Notice)> tell) override;
  void on_quiet(std::chrono::milliseconds interval, std::function<void()> beat) override;
  void read_body(std::function<void(Result<BodyPart>)> take) override;
  void on_disconnect(std::function<void()> callback) override;

 private:
  enum class Stream { kNone, kOpen, kEnded };

  void claim_answer();

  const std::shared_ptr<ExchangeState> state_;
  Stream stream_ = Stream::kNone;
};

}  // namespace cortex::frontend
