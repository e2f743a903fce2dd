// SPDX-License-Identifier: Apache-2.0
#include "net/detail/request_head.h"

#include <algorithm>
#include <cctype>

namespace cortex::net {
namespace {

constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) {
    return c == '\t' || (c >= ' ' && c != 0x7f);
  });
}

bool is_target(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > ' ' && c != 0x7f; });
}

}  // namespace

Result<std::string> request_head(
    const Url& url, const RequestLine& line, const HttpHeaders& headers, std::uint64_t body_bytes
) {
  if (!is_token(line.method)) return invalid_argument("the method is no word");
  if (!is_target(line.target)) return invalid_argument("the path cannot be sent");
  std::string out(line.method);
  out.append(" ").append(line.target.empty() ? "/" : line.target).append(" HTTP/1.1\r\nHost: ");
  out.append(url.authority());
  for (const auto& [name, value] : headers) {
    if (!is_token(name) || !is_value(value)) {
      return invalid_argument("the header '" + name + "' cannot be sent");
    }
    out.append("\r\n").append(name).append(": ").append(value);
  }
  if (body_bytes > 0 || line.method == "POST" || line.method == "PUT") {
    out.append("\r\nContent-Length: ").append(std::to_string(body_bytes));
  }
  return out.append("\r\n\r\n");
}

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

}  // namespace cortex::net
