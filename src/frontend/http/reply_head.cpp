// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/reply_head.h"

#include <array>
#include <charconv>
#include <ctime>

namespace cortex::frontend {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_value(std::string& out, std::string_view value) {
  const std::size_t start = out.size();
  out.append(value);
  for (std::size_t i = start; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if (byte < 0x20 || byte == 0x7F) out[i] = ' ';
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  append_value(out, value);
  out.append("\r\n");
}

void append_cors(std::string& out, std::string_view origin) {
  append_field(out, "Access-Control-Allow-Origin", origin);
  out.append(
      "Access-Control-Expose-Headers: x-request-id, retry-after, "
      "inference-header-content-length, x-ratelimit-limit-requests, "
      "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
      "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, request-id\r\n"
  );
}

void append_framing(std::string& out, const HttpReply& reply, const ReplyFrame& frame) {
  if (is_bodyless(reply.status)) return;
  if (!reply.content_type.empty()) append_field(out, "Content-Type", reply.content_type);
  if (frame.chunked) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (!frame.http10 || !frame.close || frame.body_bytes > 0) {
    out.append("Content-Length: ");
    append_number(out, frame.body_bytes);
    out.append("\r\n");
  }
}

}  // namespace

void append_reply_head(std::string& out, const HttpReply& reply, const ReplyFrame& frame) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(reply.status));
  out.append(" ").append(reason_of(reply.status)).append("\r\n");
  append_framing(out, reply, frame);
  for (const auto& [name, value] : reply.headers) append_field(out, name, value);
  if (frame.more != nullptr) {
    for (const auto& [name, value] : *frame.more) append_field(out, name, value);
  }
  if (!frame.request_id.empty()) append_field(out, "x-request-id", frame.request_id);
  if (!frame.request_id_header.empty()) {
    append_field(out, frame.request_id_header, frame.request_id);
  }
  if (!frame.date.empty()) append_field(out, "Date", frame.date);
  if (!frame.server.empty()) append_field(out, "Server", frame.server);
  if (!frame.cors_origin.empty()) append_cors(out, frame.cors_origin);
  if (frame.by_origin) out.append("Vary: Origin\r\n");
  if (frame.close) {
    out.append("Connection: close\r\n");
  } else if (frame.http10) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::string http_date(std::int64_t unix_seconds) {
  // strftime would follow the process's locale.
  static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::time_t seconds = unix_seconds;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  const auto name = [](std::string_view names, int index) {
    return std::string(names.substr(static_cast<std::size_t>(index) * 3, 3));
  };
  const auto two = [](int value) {
    return std::string{static_cast<char>('0' + value / 10), static_cast<char>('0' + value % 10)};
  };
  return name(kDays, parts.tm_wday) + ", " + two(parts.tm_mday) + " " +
         name(kMonths, parts.tm_mon) + " " + std::to_string(parts.tm_year + 1900) + " " +
         two(parts.tm_hour) + ":" + two(parts.tm_min) + ":" + two(parts.tm_sec) + " GMT";
}

}  // namespace cortex::frontend
