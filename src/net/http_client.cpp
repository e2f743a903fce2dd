// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "net/socket.h"

namespace cortex::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr std::size_t kReadBytes = 64 * 1024;

struct Address {
  std::string host;
  std::string port = "80";
  std::string path;
};

Result<Address> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const Status wrong = invalid_argument("'" + std::string(url) + "' is not http://HOST[:PORT]");
  if (!url.starts_with(kScheme)) return wrong;
  url.remove_prefix(kScheme.size());
  Address out;
  const std::size_t slash = std::min(url.find('/'), url.size());
  out.path = url.substr(slash);
  while (out.path.ends_with('/')) out.path.pop_back();
  std::string_view authority = url.substr(0, slash);
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return wrong;
    out.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
  } else {
    out.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(out.host.size());
  }
  if (authority.starts_with(':')) out.port = authority.substr(1);
  const bool digits =
      std::ranges::all_of(out.port, [](unsigned char c) { return std::isdigit(c); });
  if (out.host.empty() || out.port.empty() || !digits) return wrong;
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

HttpAnswer answer_of(Parser& parser) {
  HttpAnswer out;
  auto& message = parser.get();
  out.status = static_cast<int>(message.result_int());
  for (const auto& field : message.base()) {
    const auto name = field.name_string();
    const auto value = field.value();
    out.headers.emplace_back(
        lower({name.data(), name.size()}), std::string(value.data(), value.size())
    );
  }
  out.body = std::move(message.body());
  return out;
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, Address address)
      : options_(std::move(options)), address_(std::move(address)) {}

  Result<HttpAnswer> send(const HttpCall& call) {
    const TimePoint deadline = steady_clock().now() + options_.timeout;
    const bool kept = socket_.open();
    auto answer = attempt(call, deadline);
    // A kept connection may have been closed while it was idle; nothing was served then.
    if (!answer.ok() && kept && !answered_ && answer.status().code() == Code::kUnavailable) {
      answer = attempt(call, deadline);
    }
    return answer;
  }

 private:
  Result<HttpAnswer> attempt(const HttpCall& call, TimePoint deadline) {
    answered_ = false;
    if (!socket_.open()) {
      CORTEX_ASSIGN_OR_RETURN(socket_, Socket::connect(address_.host, address_.port, deadline));
      input_.clear();
    }
    const Status written = socket_.write(head_of(call), call.body, deadline);
    if (!written.ok()) {
      socket_.close();
      return written;
    }
    auto answer = receive(call.method == "HEAD", deadline);
    if (!answer.ok()) socket_.close();
    return answer;
  }

  std::string head_of(const HttpCall& call) const {
    std::string out;
    out.append(call.method).append(" ").append(address_.path).append(call.target);
    out.append(" HTTP/1.1\r\nHost: ").append(address_.host).append(":").append(address_.port);
    if (!options_.key.empty()) out.append("\r\nAuthorization: Bearer ").append(options_.key);
    for (const auto& [name, value] : call.headers) {
      out.append("\r\n").append(name).append(": ").append(value);
    }
    if (!call.body.empty()) out.append("\r\nContent-Type: ").append(call.content_type);
    if (!call.body.empty() || call.method == "POST") {
      out.append("\r\nContent-Length: ").append(std::to_string(call.body.size()));
    }
    return out.append("\r\n\r\n");
  }

  Result<HttpAnswer> receive(bool head_only, TimePoint deadline) {
    Parser parser;
    parser.body_limit(options_.body_bytes_max);
    parser.eager(true);
    parser.skip(head_only);
    std::array<char, kReadBytes> chunk;
    while (!parser.is_done()) {
      CORTEX_ASSIGN_OR_RETURN(const std::size_t got, socket_.read(chunk, deadline));
      if (got == 0) {
        CORTEX_RETURN_IF_ERROR(at_end(parser));
        break;
      }
      answered_ = true;
      input_.append(chunk.data(), got);
      CORTEX_RETURN_IF_ERROR(parse(parser));
    }
    if (!parser.keep_alive()) socket_.close();
    return answer_of(parser);
  }

  Status parse(Parser& parser) {
    while (!input_.empty() && !parser.is_done()) {
      boost::beast::error_code error;
      const std::size_t used = parser.put(boost::asio::buffer(input_), error);
      input_.erase(0, used);
      if (error == http::error::need_more) return {};
      if (error) return unavailable("the answer is not HTTP: " + error.message());
    }
    return {};
  }

  // The server closed: the end of an answer without a length, or a broken one.
  Status at_end(Parser& parser) {
    if (!parser.got_some()) return unavailable("the server closed the connection");
    boost::beast::error_code error;
    parser.put_eof(error);
    if (error) return unavailable("the server broke off within its answer");
    socket_.close();
    return {};
  }

  HttpClientOptions options_;
  Address address_;
  Socket socket_;
  std::string input_;
  bool answered_ = false;  // a byte of the answer to the current call came
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::make(HttpClientOptions options) {
  CORTEX_ASSIGN_OR_RETURN(Address address, parse_url(options.url));
  return HttpClient(std::make_unique<Impl>(std::move(options), std::move(address)));
}

Result<HttpAnswer> HttpClient::send(const HttpCall& call) { return impl_->send(call); }

std::string path_segment(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace cortex::net
