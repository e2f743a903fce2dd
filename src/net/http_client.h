// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/http_message.h"

namespace cortex::net {

struct HttpClientOptions {
  std::string url =
      "http://127.0.0.1:8000";  // scheme, host and port; a path is put before every target
  std::string ca_file;          // of https; empty: the system's certificates
  std::string key;              // sent as a bearer token; empty: none
  std::chrono::milliseconds timeout{60'000};  // of one call, connecting included
  std::chrono::milliseconds stall_timeout{};  // without a byte; 0: `timeout`
  int interrupt = -1;  // while this descriptor is readable, a call ends with kCancelled
  std::size_t body_bytes_max = 1ull << 30;  // of an answer
};

struct HttpCall {
  std::string_view method = "GET";
  std::string_view target;  // "/v2/models"
  std::string_view body;
  std::string_view content_type = "application/json";  // sent with a body
  std::vector<std::pair<std::string, std::string>> headers;
};

using HttpAnswer = HttpResponse;

// One kept-alive connection to one server, opened at the first call and again when the server
// closed it between calls. Every call ends by its time-out. A call is sent a second time only when
// the kept connection turned out closed before a byte of the answer came and its method is
// idempotent. Many servers, or bodies that are not held in memory: HttpPool. Thread: one at a time.
class HttpClient {
 public:
  // kInvalidArgument for a URL that is not http(s)://host[:port][/path]; kFailedPrecondition when
  // the CA certificates cannot be read.
  [[nodiscard]] static Result<HttpClient> make(HttpClientOptions options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Whatever the server answered, 4xx and 5xx too. kUnavailable when it cannot be reached or breaks
  // off, kDeadlineExceeded after the time-out, kResourceExhausted over a limit.
  [[nodiscard]] Result<HttpAnswer> send(const HttpCall& call);
  // The same; an answer of 200 to 299 goes to `sink` as it comes, whose error ends the call.
  [[nodiscard]] Result<HttpAnswer> send(const HttpCall& call, const HttpSink& sink);

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::net
