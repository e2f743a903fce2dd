// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
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
  }
  void fail(const Status& status) override {
    CHECK(!answered(), "a second answer");
    failure_ = status;
  }
  void begin_stream(HttpReply) override { CHECK(false, "not a streamed route"); }
  [[nodiscard]] bool write(std::string) override { return false; }
  void on_writable(std::function<void()>) override {}
  void end_stream() override {}
  void on_disconnect(std::function<void()> callback) override { disconnect_ = std::move(callback); }

  // What the client does.
  void disconnect() {
    if (disconnect_) disconnect_();
  }

  [[nodiscard]] bool answered() const { return reply_ || failure_; }
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
  HttpRequest request_;
  RequestRecord record_;
  std::optional<HttpReply> reply_;
  std::optional<Status> failure_;
  std::function<void()> disconnect_;
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
