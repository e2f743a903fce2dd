// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/detail/channel.h"
#include "net/http_message.h"

namespace cortex::net {

struct ExchangeRequest {
  std::string_view head;  // up to its empty line
  std::string_view body;
  bool head_only = false;  // HEAD: the answer has no body whatever it says
};

struct ExchangeLimits {
  Duration stall{};  // without a byte in the direction that is waited for
  std::size_t header_bytes_max = 0;
  std::size_t body_bytes_max = 0;  // of an answer that is held in memory
};

// One request and its answer over a channel. HTTP/1.1 as RFC 9112 has it: an answer whose length is
// ambiguous, missing where the connection is cut, or more than it may be, is an error. Nothing is
// followed, decoded or stored. Used once. Thread: its owner's.
class HttpExchange {
 public:
  HttpExchange(Channel& channel, const ExchangeLimits& limits, TimePoint deadline);
  ~HttpExchange();

  // kUnavailable when the connection breaks or what comes is no HTTP, kDeadlineExceeded,
  // kResourceExhausted over a limit, or the error of a source or sink.
  [[nodiscard]] Result<HttpResponse> run(
      const ExchangeRequest& request, const HttpStreams& streams
  );

  // A byte of the answer came.
  [[nodiscard]] bool answered() const { return answered_; }
  // Bytes were taken from the source.
  [[nodiscard]] bool source_used() const { return source_used_; }
  // The channel may carry another exchange.
  [[nodiscard]] bool reusable() const { return reusable_; }

 private:
  struct Reader;
  [[nodiscard]] TimePoint soonest() const;
  Status send(const ExchangeRequest& request, const HttpStreams& streams);
  Status send_from(const HttpStreams& streams);
  Result<HttpResponse> receive(bool head_only, const HttpSink& sink);
  Status fill(Reader& reader);
  Status parse(Reader& reader);
  Status begin(Reader& reader);
  Status deliver(Reader& reader, std::size_t bytes);
  Status at_end(Reader& reader);

  Channel& channel_;
  const ExchangeLimits limits_;
  const TimePoint deadline_;
  std::vector<char> input_;  // read and not parsed yet: from begin_ up to end_
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool answered_ = false;
  bool source_used_ = false;
  bool early_ = false;  // the answer came before the request was out
  bool closed_ = false;
  bool reusable_ = false;
};

}  // namespace cortex::net
