// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "frontend/http/body_collector.h"
#include "frontend/http/body_stream.h"
#include "frontend/http/chunk_decoder.h"
#include "frontend/http/exchange.h"
#include "frontend/http/request_head.h"

namespace cortex::frontend {

// Turns the bytes of one connection into requests, one behind the other, without a socket or a
// clock. Bytes of the next request may come at any time; they wait, within bounds. One thread.
//
//   read into space(), commit(), then advance() until it says kNeedMore:
//     kHead      the header is complete: decide by request() and head(), then accept_body(),
//                stream_body(), or give up
//     kPart      part() is the next piece of a streamed body
//     kRequest   the body is complete: request() may be moved away; next() goes on to the following
//                request
//     kRefused   fault() says why; nothing after it can be trusted, so the connection must end
class RequestReader {
 public:
  enum class Event { kNeedMore, kHead, kPart, kRequest, kRefused };
  enum class Phase { kIdle, kHeader, kBody, kWhole };

  RequestReader(std::size_t header_bytes_limit, std::shared_ptr<BodyBudget> budget);

  // Where the next bytes belong, perhaps in the body itself. Empty when the bounds allow no more
  // for now. Stays valid over advance() and next(), until space() is called again: a read may be
  // under way while a request is served.
  [[nodiscard]] std::span<char> space();
  void commit(std::size_t bytes);

  [[nodiscard]] Event advance();

  // After kHead, once: the body may have `limit` bytes, unpacked.
  void accept_body(std::size_t limit);
  // The same for a body that is taken in parts: advance() says kPart until it says kRequest, and
  // request().body stays empty. False when it is refused at once.
  [[nodiscard]] bool stream_body(std::size_t limit);
  // The same for what is no body but bytes without an end: advance() says kPart for whatever came.
  void open_pipe();
  // After kPart; valid until advance(), space() or next().
  [[nodiscard]] std::string_view part() const { return part_; }
  // After kRequest.
  void next();

  [[nodiscard]] HttpRequest& request() { return request_; }
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] const HttpFault& fault() const { return fault_; }

  // kIdle: not one byte of a next request is here.
  [[nodiscard]] Phase phase() const;
  // Bytes of the current request so far, as they came.
  [[nodiscard]] std::uint64_t wire_bytes() const { return wire_bytes_; }
  // True when bytes behind the header wait already, so the client does not wait to be told to send
  // them.
  [[nodiscard]] bool body_arrived() const { return begin_ < end_; }

 private:
  enum class State { kSeekingHead, kHeadDone, kBody, kStream, kPipe, kWhole, kRefused };

  [[nodiscard]] Event seek_head();
  [[nodiscard]] std::optional<Event> on_line(std::size_t line_end);
  [[nodiscard]] Event on_head(std::size_t size);
  [[nodiscard]] Event header_too_long();
  [[nodiscard]] Event take_body();
  [[nodiscard]] Event take_chunks();
  [[nodiscard]] Event take_sized();
  [[nodiscard]] Event finish_body();
  [[nodiscard]] Event take_part();
  [[nodiscard]] Event take_piped();
  [[nodiscard]] Event find_piece();
  [[nodiscard]] Event end_stream();
  [[nodiscard]] Event refuse(HttpFault fault);
  [[nodiscard]] std::string_view waiting() const {
    return {buffer_.data() + begin_, end_ - begin_};
  }
  void consume(std::size_t bytes);
  void make_room();

  const std::size_t header_limit_;
  const std::shared_ptr<BodyBudget> budget_;
  State state_ = State::kSeekingHead;

  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is not consumed yet
  std::size_t end_ = 0;

  // While the header is sought; relative to begin_.
  std::size_t scanned_ = 0;
  std::size_t line_ = 0;  // start of the current line
  std::size_t lines_ = 0;
  std::size_t blank_lines_ = 0;

  HttpRequest request_;
  RequestHead head_;
  HttpFault fault_;
  std::uint64_t wire_bytes_ = 0;

  std::optional<BodyCollector> body_;
  bool direct_ = false;          // the body is read into its place
  std::uint64_t body_left_ = 0;  // of Content-Length, when the body is not direct
  ChunkDecoder chunks_;
  std::optional<BodyStream> stream_;
  std::size_t piece_left_ = 0;  // bytes at the front of what waits that belong to the body
  std::string_view part_;
};

}  // namespace cortex::frontend
