// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace cortex::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;      // http://… or https://…; path and query go out as they stand
  HttpHeaders headers;  // all but Host, Content-Length, Connection, which the client sends itself
  std::string body;
  TimePoint deadline = kNoDeadline;  // of the whole call; the client's own limit holds beside it
};

struct HttpResponse {
  int status = 0;
  std::string body;
  HttpHeaders headers;  // names in lower case

  // The first of that name; empty when there is none.
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

// Writes the next bytes of a request's body into `into`, at least one; how many. An error ends the
// call with it.
using HttpSource = std::function<Result<std::size_t>(std::span<char> into)>;
// Takes the next bytes of an answer whose status and headers are `head`, chunks taken apart. An
// error ends the call with it.
using HttpSink = std::function<Status(const HttpResponse& head, std::string_view bytes)>;

// Bodies that are not held in memory. Both run on the calling thread, within the call.
struct HttpStreams {
  HttpSource source;             // in the place of HttpRequest::body, where set
  std::uint64_t body_bytes = 0;  // what `source` gives in all
  HttpSink sink;  // of answers 200 to 299, where set; others go to HttpResponse::body
};

// `text` with everything but letters, digits and "-._~" percent-encoded: one segment of a path.
[[nodiscard]] std::string path_segment(std::string_view text);

}  // namespace cortex::net
