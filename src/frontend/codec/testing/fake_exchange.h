// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::testing {

// A body as the server hands it over: padded, and with the byte behind `json_length` aligned.
inline std::shared_ptr<const Buffer> body_of(std::string_view text, std::size_t json_length = 0) {
  auto body = Buffer::make(text.size(), json_length);
  if (!text.empty()) std::memcpy(body->data(), text.data(), text.size());
  return body;
}

// An exchange without a server: keeps what was replied. Thread: one.
class FakeExchange final : public Exchange {
 public:
  explicit FakeExchange(HttpRequest request) : request_(std::move(request)) {
    if (!request_.body) request_.body = body_of("");
  }

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] RequestRecord& record() override { return record_; }
  void post(std::function<void()> work) override { work(); }
  void reply(HttpReply reply) override {
    CHECK(!answered(), "a second answer");
    reply_ = std::move(reply);
    settle();
  }
  void fail(const Status& status) override {
    CHECK(!answered(), "a second answer");
    failure_ = status;
    settle();
  }
  void begin_stream(HttpReply head) override {
    CHECK(!answered(), "a second answer");
    head_ = std::move(head);
  }
  [[nodiscard]] bool write(std::string chunk) override {
    CHECK(head_ && !stream_ended_, "write() belongs between begin_stream() and end_stream()");
    if (room_ == 0 || left_) return false;
    --room_;
    streamed_.append(chunk);
    return true;
  }
  void on_writable(std::function<void()> wake) override { writable_ = std::move(wake); }
  void end_stream() override {
    CHECK(head_ && !stream_ended_, "end_stream() comes once, after begin_stream()");
    stream_ended_ = true;
    settle();
  }
  void on_quiet(std::chrono::milliseconds, std::function<void()> beat) override {
    beat_ = std::move(beat);
  }
  void on_disconnect(std::function<void()> callback) override { disconnect_ = std::move(callback); }
  void read_body(std::function<void(Result<BodyPart>)> take) override { take_ = std::move(take); }
  void on_notice(std::function<void(Notice)> tell) override { notice_ = std::move(tell); }
  void end_with(std::string last) override {
    streamed_.append(last);
    end_stream();
  }

  // What the client does.
  void disconnect() {
    left_ = true;
    writable_ = nullptr;
    beat_ = nullptr;
    if (const auto tell = std::exchange(disconnect_, nullptr)) tell();
  }
  // From now on so many chunks are taken before the queue is full; who waited is told.
  void set_room(std::size_t chunks) {
    room_ = chunks;
    const auto wake = room_ > 0 ? std::exchange(writable_, nullptr) : nullptr;
    if (wake) wake();
  }
  // Sends bytes of a body to whoever waits for them; without one they wait for the next call.
  void feed(std::string_view bytes) {
    fed_.append(bytes);
    while (take_ && !fed_.empty()) {
      const std::string part = std::exchange(fed_, {});
      std::exchange(take_, nullptr)(std::as_bytes(std::span(part)));
    }
  }
  [[nodiscard]] bool wants_more() const { return take_ != nullptr; }
  void notice(Notice what) {
    const auto tell = notice_;
    if (tell) tell(what);
  }
  // Nothing was written for a while.
  void be_quiet() {
    const auto beat = beat_;
    if (beat) beat();
  }

  [[nodiscard]] bool answered() const { return reply_ || failure_ || head_; }
  // Of a streamed answer: its head once begun, what was written, and whether it ended.
  [[nodiscard]] const std::optional<HttpReply>& head() const { return head_; }
  [[nodiscard]] const std::string& streamed() const { return streamed_; }
  [[nodiscard]] bool stream_ended() const { return stream_ended_; }
  // REQUIRES: answered with reply().
  [[nodiscard]] const HttpReply& sent() const {
    CHECK(reply_.has_value(), failure_ ? failure_->to_string().c_str() : "no answer");
    return *reply_;
  }
  // OK when it was answered with reply().
  [[nodiscard]] Status failure() const { return failure_.value_or(Status()); }
  // Head and segments in one.
  [[nodiscard]] std::string bytes() const {
    std::string out = sent().body;
    for (const Segment& segment : sent().segments) {
      out.append(reinterpret_cast<const char*>(segment.bytes.data()), segment.bytes.size());
    }
    return out;
  }
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : sent().headers) {
      if (key == name) return value;
    }
    return {};
  }

 private:
  // The answer is out: what waited for something else is let go of.
  void settle() {
    disconnect_ = nullptr;
    writable_ = nullptr;
    beat_ = nullptr;
    take_ = nullptr;
    notice_ = nullptr;
  }

  HttpRequest request_;
  RequestRecord record_;
  std::optional<HttpReply> reply_;
  std::optional<Status> failure_;
  std::function<void()> disconnect_;
  std::optional<HttpReply> head_;
  std::string streamed_;
  bool stream_ended_ = false;
  bool left_ = false;
  std::size_t room_ = static_cast<std::size_t>(-1);
  std::function<void()> writable_;
  std::function<void()> beat_;
  std::function<void(Result<BodyPart>)> take_;
  std::function<void(Notice)> notice_;
  std::string fed_;
};

// The route that a server would choose for the method and the pattern.
inline const Route& route_of(const Api& api, Method method, std::string_view pattern) {
  for (const Route& route : api.routes) {
    if (route.method == method && route.pattern == pattern) return route;
  }
  CHECK(false, "no such route");
  return api.routes.front();
}

// Sends a request to a route and gives the exchange back, answered or not.
inline std::shared_ptr<FakeExchange> call(
    const Api& api, Method method, std::string_view pattern, HttpRequest request = {}
) {
  request.method = method;
  auto exchange = std::make_shared<FakeExchange>(std::move(request));
  route_of(api, method, pattern).handler(exchange);
  return exchange;
}

}  // namespace cortex::frontend::testing
