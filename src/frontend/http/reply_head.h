// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/http/exchange.h"

namespace cortex::frontend {

// What an answer's header needs beside the reply itself.
struct ReplyFrame {
  bool http10 = false;
  bool close = false;
  bool chunked = false;  // else Content-Length
  std::uint64_t body_bytes = 0;
  std::string_view server;
  std::string_view date;  // as http_date() writes it
  std::string_view request_id;
  std::string_view request_id_header;  // that it has beside x-request-id; empty: no other
  std::string_view cors_origin;        // empty: no CORS headers
  bool by_origin = false;  // the answer to another origin may differ: caches keep them apart
  // Beside those of the reply; null: none.
  const std::vector<std::pair<std::string_view, std::string>>* more = nullptr;
};

// Appends status line and header, the empty line included. Control characters in values become
// blanks: what a peer said can end up in a value and must not become a header of its own.
void append_reply_head(std::string& out, const HttpReply& reply, const ReplyFrame& frame);

// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(std::int64_t unix_seconds);

// True for statuses whose answer has no body (1xx, 204, 304).
[[nodiscard]] constexpr bool is_bodyless(int status) {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace cortex::frontend
