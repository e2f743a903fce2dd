// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "frontend/http/exchange.h"
#include "frontend/http/http_fault.h"

namespace cortex::frontend {

enum class ContentCoding : std::uint8_t { kIdentity, kGzip, kDeflate };

// What a request's header says about its own framing, beside what handlers see.
struct RequestHead {
  std::string_view raw_path;  // escapes included; points into the block that was parsed
  bool http10 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;
  ContentCoding coding = ContentCoding::kIdentity;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// Reads a whole header block, its empty line included, into `request` (method, path, query,
// headers, id as the client sent it) and `head`. Strict where two readers could disagree on where a
// request ends: one Host, one plain Content-Length, or one Transfer-Encoding that says "chunked"
// and nothing else. Empty when all is well. REQUIRES: every line of `block` ends in CRLF and none
// begins with a blank (RequestReader sees to it).
[[nodiscard]] std::optional<HttpFault> parse_head(
    std::string_view block, HttpRequest& request, RequestHead& head
);

}  // namespace cortex::frontend
