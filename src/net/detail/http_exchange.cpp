// SPDX-License-Identifier: Apache-2.0
#include "net/detail/http_exchange.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

#include <boost/beast/core/error.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace cortex::net {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::buffer_body>;

constexpr std::size_t kWindowBytes = 64 * 1024;
constexpr std::size_t kSourceBytes = 256 * 1024;
constexpr int kInformationalMax = 8;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

void take_head(const Parser& parser, HttpResponse& out) {
  const auto& message = parser.get();
  out.status = static_cast<int>(message.result_int());
  for (const auto& field : message.base()) {
    const auto name = field.name_string();
    const auto value = field.value();
    out.headers.emplace_back(
        lower({name.data(), name.size()}), std::string(value.data(), value.size())
    );
  }
}

Status parse_error(const boost::beast::error_code& error) {
  if (error == http::error::header_limit) {
    return resource_exhausted("the headers of the answer are too long");
  }
  if (error == http::error::body_limit) return resource_exhausted("the answer is too long");
  return unavailable("the answer is not HTTP: " + error.message());
}

}  // namespace

// What becomes of one answer.
struct HttpExchange::Reader {
  Reader(bool of_head, std::size_t header_bytes_max, const HttpSink& to)
      : body(kWindowBytes), sink(to), head_only(of_head) {
    parser.header_limit(static_cast<std::uint32_t>(header_bytes_max));
    parser.body_limit(boost::none);
    parser.eager(true);
    parser.skip(head_only);
  }

  Parser parser;
  std::vector<char> body;  // where the parser puts what it took out of the framing
  HttpResponse response;
  const HttpSink& sink;
  const bool head_only;
  bool has_head = false;
};

HttpExchange::HttpExchange(Channel& channel, const ExchangeLimits& limits, TimePoint deadline)
    : channel_(channel), limits_(limits), deadline_(deadline), input_(kWindowBytes) {}
HttpExchange::~HttpExchange() = default;

TimePoint HttpExchange::soonest() const {
  return std::min(deadline_, steady_clock().now() + limits_.stall);
}

Result<HttpResponse> HttpExchange::run(const ExchangeRequest& request, const HttpStreams& streams) {
  const Status sent = send(request, streams);
  // A server that refuses does not read to the end: what it says is better than that it closed.
  if (!sent.ok()) {
    if (sent.code() != Code::kUnavailable || !channel_.has_input()) return sent;
    early_ = true;
  }
  auto response = receive(request.head_only, streams.sink);
  if (!response.ok() && !sent.ok()) return sent;
  return response;
}

Status HttpExchange::send(const ExchangeRequest& request, const HttpStreams& streams) {
  if (!streams.source) return channel_.write(request.head, request.body, soonest());
  CORTEX_RETURN_IF_ERROR(channel_.write(request.head, {}, soonest()));
  return send_from(streams);
}

Status HttpExchange::send_from(const HttpStreams& streams) {
  std::vector<char> window(std::min<std::uint64_t>(kSourceBytes, streams.body_bytes));
  std::uint64_t left = streams.body_bytes;
  while (left > 0) {
    if (channel_.has_input()) {
      early_ = true;
      return {};
    }
    const std::span<char> room =
        std::span(window).first(std::min<std::uint64_t>(window.size(), left));
    source_used_ = true;
    CORTEX_ASSIGN_OR_RETURN(const std::size_t got, streams.source(room));
    CHECK(got > 0 && got <= room.size(), "a source gives what it announced");
    CORTEX_RETURN_IF_ERROR(channel_.write(std::string_view(room.data(), got), {}, soonest()));
    left -= got;
  }
  return {};
}

Result<HttpResponse> HttpExchange::receive(bool head_only, const HttpSink& sink) {
  for (int informational = 0; informational < kInformationalMax; ++informational) {
    Reader reader(head_only, limits_.header_bytes_max, sink);
    while (!reader.parser.is_done()) {
      if (begin_ < end_) {
        const std::size_t before = end_ - begin_;
        CORTEX_RETURN_IF_ERROR(parse(reader));
        if (reader.parser.is_done() || end_ - begin_ < before) continue;
      }
      CORTEX_RETURN_IF_ERROR(fill(reader));
    }
    if (reader.response.status < 200 && reader.response.status != 101) continue;
    reusable_ = reader.parser.keep_alive() && !early_ && !closed_ && begin_ == end_;
    return std::move(reader.response);
  }
  return unavailable("the answer is not HTTP: it is announced without end");
}

// Reads what the connection has, behind what is there.
Status HttpExchange::fill(Reader& reader) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == input_.size()) {
    // What the parser cannot use yet: a line of the head, or of a chunk.
    if (input_.size() >= limits_.header_bytes_max) {
      return resource_exhausted("the headers of the answer are too long");
    }
    input_.resize(std::min(2 * input_.size(), limits_.header_bytes_max));
  }
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t got, channel_.read(std::span(input_).subspan(end_), soonest())
  );
  if (got == 0) return at_end(reader);
  answered_ = true;
  end_ += got;
  return {};
}

Status HttpExchange::parse(Reader& reader) {
  auto& body = reader.parser.get().body();
  body.data = reader.body.data();
  body.size = reader.body.size();
  body.more = true;
  boost::beast::error_code error;
  begin_ +=
      reader.parser.put(boost::asio::const_buffer(input_.data() + begin_, end_ - begin_), error);
  if (!reader.has_head && reader.parser.is_header_done()) CORTEX_RETURN_IF_ERROR(begin(reader));
  const std::size_t bytes = reader.body.size() - body.size;
  if (bytes > 0) CORTEX_RETURN_IF_ERROR(deliver(reader, bytes));
  if (!error || error == http::error::need_more || error == http::error::need_buffer) return {};
  return parse_error(error);
}

Status HttpExchange::begin(Reader& reader) {
  reader.has_head = true;
  take_head(reader.parser, reader.response);
  const bool streamed =
      reader.sink && reader.response.status >= 200 && reader.response.status < 300;
  const std::string_view text = reader.response.header("content-length");
  std::uint64_t announced = 0;  // the parser has checked it
  std::from_chars(text.data(), text.data() + text.size(), announced);
  if (!streamed && !reader.head_only && announced > limits_.body_bytes_max) {
    return resource_exhausted("the answer is too long");
  }
  return {};
}

Status HttpExchange::deliver(Reader& reader, std::size_t bytes) {
  HttpResponse& response = reader.response;
  const std::string_view text(reader.body.data(), bytes);
  if (reader.sink && response.status >= 200 && response.status < 300) {
    return reader.sink(response, text);
  }
  if (response.body.size() + bytes > limits_.body_bytes_max) {
    return resource_exhausted("the answer is too long");
  }
  response.body.append(text);
  return {};
}

// The server closed: the end of an answer without a length, or a broken one.
Status HttpExchange::at_end(Reader& reader) {
  closed_ = true;
  if (!reader.parser.got_some()) return unavailable("the server closed the connection");
  boost::beast::error_code error;
  reader.parser.put_eof(error);
  if (error) return unavailable("the server broke off within its answer");
  return {};
}

}  // namespace cortex::net
