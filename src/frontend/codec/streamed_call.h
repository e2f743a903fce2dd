// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend {

// Parts of one request that wait to be written; the servable joins what comes beyond them.
inline constexpr std::size_t kUnreadPartsMax = 16;
// Bytes of an answer that is collected before it is sent, as the parts hold them.
inline constexpr std::size_t kCollectedBytesMax = 64UL * 1024 * 1024;
// How long a stream may be silent before a keep-alive goes out.
inline constexpr std::chrono::seconds kKeepAliveInterval{15};

// The requests that one HTTP request became, answered together: several prompts of one call.
using Requests = std::vector<std::shared_ptr<const Request>>;

// How the parts of a streamed answer look in one API. `source` is the request that a part answers.
// Thread: the connection's own.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;

  [[nodiscard]] virtual std::string_view content_type() const = 0;  // static text
  // Appends what the part becomes. An error (a part that is none of this API's) ends the answer.
  [[nodiscard]] virtual Status write(std::size_t source, ResponsePart&& part, std::string& out) = 0;
  // Appends what follows the last part. `timings` are those of all requests together.
  virtual void end(const Timings& timings, std::string& out) = 0;
  // Appends the error that takes the place of the rest.
  virtual void fail(const Status& status, std::string& out) = 0;
  // What is sent while nothing comes; empty: nothing is.
  [[nodiscard]] virtual std::string_view keep_alive() const = 0;
};

// Submits requests and streams what comes of them. An error before the first part is an answer of
// its own, with its status; a later one is the writer's, and the record has it. While the client
// reads slower than parts come, none are read, and the servable waits. After kKeepAliveInterval
// without a part the head goes out with a keep-alive. A client that leaves cancels all requests at
// once; the first error cancels the others. Fills the exchange's record. Thread: the connection's
// own; returns at once. REQUIRES: at least one request.
void submit_streamed(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    Requests requests,
    std::unique_ptr<StreamWriter> writer
);

// Puts the parts of an answer together. Thread: the connection's own.
class PartCollector {
 public:
  virtual ~PartCollector() = default;

  [[nodiscard]] virtual Status take(std::size_t source, ResponsePart&& part) = 0;
  // The whole, after the last part.
  [[nodiscard]] virtual Result<HttpReply> reply(const Timings& timings) = 0;
};

// The same for an answer that is sent whole. One of more than kCollectedBytesMax is refused with
// kInvalidArgument as soon as it is, and its requests are cancelled.
void submit_collected(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    Requests requests,
    std::unique_ptr<PartCollector> collector
);

// Appends an event of a text/event-stream: "data: …", and an empty line. REQUIRES: `data` is one
// line.
void append_event(std::string& out, std::string_view data);

// What a comment of a text/event-stream looks like that says nothing.
inline constexpr std::string_view kEventKeepAlive = ": keep-alive\n\n";

}  // namespace cortex::frontend
