// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/request_head.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "frontend/http/target.h"

namespace cortex::frontend {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr std::size_t kRequestIdBytesMax = 128;

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b;
  });
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lower;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A host has no use for what separates the parts of a URL: two readers could see two hosts in it.
bool is_host(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7F &&
           std::string_view("/\\?#@,<>\"{}|^`").find(c) == std::string_view::npos;
  });
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kRequestIdBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

std::optional<Method> method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::put:
      return Method::kPut;
    case http::verb::patch:
      return Method::kPatch;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::options:
      return Method::kOptions;
    default:
      return std::nullopt;
  }
}

// True when the third word of the request line names some version of HTTP.
bool names_a_version(std::string_view block) {
  const std::size_t first = block.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : block.find(' ', first + 1);
  return second != std::string_view::npos && block.substr(second + 1).starts_with("HTTP/");
}

HttpFault fault_of(const error_code& error, std::string_view block) {
  if (error == http::error::bad_version && names_a_version(block)) {
    return {505, unimplemented("HTTP version not supported; this server speaks HTTP/1.1")};
  }
  return bad_request("malformed HTTP request: " + error.message());
}

// Beast's parser finds the parts; what it would let pass and we do not is kept as the first fault.
class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(HttpRequest& request, RequestHead& head) : request_(request), head_(head) {
    body_limit(boost::none);
    request_.headers.reserve(12);
  }

  std::optional<HttpFault> parse(std::string_view block) {
    header_limit(static_cast<std::uint32_t>(block.size() + 1));
    error_code error;
    const std::size_t used = put(boost::asio::buffer(block.data(), block.size()), error);
    if (fault_) return fault_;
    if (error) return fault_of(error, block);
    if (used != block.size()) return bad_request("malformed HTTP request");
    return check_whole();
  }

 private:
  void refuse(HttpFault fault) {
    if (!fault_) fault_ = std::move(fault);
  }

  void on_request_impl(
      http::verb verb, string_view, string_view target, int version, error_code& error
  ) override {
    error = {};
    head_.http10 = version == 10;
    const auto method = method_of(verb);
    if (!method) return refuse({501, unimplemented("method not supported")});
    request_.method = *method;
    const auto parts = split_target({target.data(), target.size()});
    if (!parts || (parts->path == "*" && *method != Method::kOptions)) {
      return refuse(bad_request("malformed request target"));
    }
    head_.raw_path = parts->path;
    request_.query.assign(parts->query);
    request_.path.clear();
    if (!percent_decode(parts->path, request_.path)) {
      refuse(bad_request("malformed escape in the request target"));
    }
  }

  void on_field_impl(http::field field, string_view name, string_view value, error_code& error)
      override {
    error = {};
    const std::string_view text(value.data(), value.size());
    request_.headers.emplace_back(lower_case({name.data(), name.size()}), text);
    switch (field) {
      case http::field::host:
        return on_host(text);
      case http::field::content_length:
        return on_content_length(text);
      case http::field::transfer_encoding:
        return on_transfer_encoding(text);
      case http::field::expect:
        return on_expect(text);
      case http::field::content_encoding:
        return on_content_encoding(text);
      case http::field::unknown:
        return on_unknown(request_.headers.back().first, text);
      default:
        return;
    }
  }

  void on_host(std::string_view value) {
    if (std::exchange(has_host_, true)) return refuse(bad_request("more than one Host header"));
    if (!is_host(value)) refuse(bad_request("malformed Host header"));
  }

  void on_content_length(std::string_view value) {
    if (head_.content_length) return refuse(bad_request("more than one Content-Length header"));
    head_.content_length = parse_decimal(value);
    if (!head_.content_length) refuse(bad_request("malformed Content-Length header"));
  }

  void on_transfer_encoding(std::string_view value) {
    if (head_.chunked) return refuse(bad_request("more than one Transfer-Encoding header"));
    head_.chunked = true;
    if (!equals_ignoring_case(value, "chunked")) {
      refuse({501, unimplemented("Transfer-Encoding other than chunked is not supported")});
    }
  }

  void on_expect(std::string_view value) {
    head_.expects_continue = equals_ignoring_case(value, "100-continue");
    if (!head_.expects_continue) {
      refuse({417, invalid_argument("only Expect: 100-continue is understood")});
    }
  }

  void on_content_encoding(std::string_view value) {
    if (std::exchange(has_coding_, true)) {
      return refuse({415, invalid_argument("more than one Content-Encoding header")});
    }
    if (equals_ignoring_case(value, "gzip") || equals_ignoring_case(value, "x-gzip")) {
      head_.coding = ContentCoding::kGzip;
    } else if (equals_ignoring_case(value, "deflate")) {
      head_.coding = ContentCoding::kDeflate;
    } else if (!value.empty() && !equals_ignoring_case(value, "identity")) {
      refuse({415, invalid_argument("Content-Encoding must be gzip, deflate or identity")});
    }
  }

  void on_unknown(std::string_view lower_name, std::string_view value) {
    if (lower_name == "x-request-id" && request_.id.empty() && is_request_id(value)) {
      request_.id.assign(value);
    }
    if (lower_name != "inference-header-content-length") return;
    const auto length = parse_decimal(value);
    if (!length || request_.inference_header_length) {
      return refuse(bad_request("malformed Inference-Header-Content-Length header"));
    }
    request_.inference_header_length = static_cast<std::size_t>(*length);
  }

  std::optional<HttpFault> check_whole() {
    head_.keep_alive = keep_alive();
    if (head_.chunked && head_.content_length) {
      return bad_request("both Content-Length and Transfer-Encoding");
    }
    if (head_.chunked && head_.http10) return bad_request("Transfer-Encoding in HTTP/1.0");
    if (!has_host_ && !head_.http10) return bad_request("no Host header");
    if (head_.http10) head_.expects_continue = false;
    return std::nullopt;
  }

  // The body never reaches this parser, and it reads no responses.
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_header_impl(error_code& error) override { error = {}; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code& error) override { error = {}; }

  HttpRequest& request_;
  RequestHead& head_;
  std::optional<HttpFault> fault_;
  bool has_host_ = false;
  bool has_coding_ = false;
};

}  // namespace

std::optional<HttpFault> parse_head(
    std::string_view block, HttpRequest& request, RequestHead& head
) {
  return HeadParser(request, head).parse(block);
}

}  // namespace cortex::frontend
