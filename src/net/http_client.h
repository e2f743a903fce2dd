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

namespace cortex::net {

struct HttpClientOptions {
  std::string url =
      "http://127.0.0.1:8000";  // scheme, host and port; a path is put before every target
  std::string key;              // sent as a bearer token; empty: none
  std::chrono::milliseconds timeout{60'000};  // of one call, connecting included
  std::size_t body_bytes_max = 1ull << 30;    // of an answer
};

struct HttpCall {
  std::string_view method = "GET";
  std::string_view target;  // "/v2/models"
  std::string_view body;
  std::string_view content_type = "application/json";  // sent with a body
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case

  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

// One kept-alive connection to one server, opened at the first call and again when the server
// closed it between calls. Every call ends by its time-out. A call is sent a second time only when
// the kept connection was closed before a byte of the answer came. Thread: one at a time.
class HttpClient {
 public:
  // kInvalidArgument for a URL that is not http://host[:port][/path].
  [[nodiscard]] static Result<HttpClient> make(HttpClientOptions options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Whatever the server answered, 4xx and 5xx too. kUnavailable when it cannot be reached or breaks
  // off, kDeadlineExceeded after the time-out.
  [[nodiscard]] Result<HttpAnswer> send(const HttpCall& call);

 private:
  class Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// `text` with everything but letters, digits and "-._~" percent-encoded: one segment of a path.
[[nodiscard]] std::string path_segment(std::string_view text);

}  // namespace cortex::net
