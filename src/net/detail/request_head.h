// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/http_message.h"
#include "net/url.h"

namespace cortex::net {

struct RequestLine {
  std::string_view method;
  std::string_view target;  // "" is "/"
};

// The head of a request, up to its empty line. kInvalidArgument for what would end a line or a word
// early, so that nobody's text becomes a second request.
[[nodiscard]] Result<std::string> request_head(
    const Url& url, const RequestLine& line, const HttpHeaders& headers, std::uint64_t body_bytes
);

// A request of this method may be sent again (RFC 9110, 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method);

}  // namespace cortex::net
