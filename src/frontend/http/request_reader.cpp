// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/request_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace cortex::frontend {
namespace {

constexpr std::size_t kFirstBuffer = 4096;
// Fewer system calls for bodies that cannot be read into their place.
constexpr std::size_t kBodyBuffer = 64 * 1024;
constexpr std::size_t kHeaderLinesMax = 128;
// RFC 9112 2.2 asks to forgive an empty line before a request.
constexpr std::size_t kBlankLinesMax = 2;

const std::shared_ptr<const Buffer>& empty_body() {
  static const std::shared_ptr<const Buffer> empty = Buffer::make(0);
  return empty;
}

bool may_begin_method(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

}  // namespace

RequestReader::RequestReader(std::size_t header_bytes_limit, std::shared_ptr<BodyBudget> budget)
    : header_limit_(header_bytes_limit), budget_(std::move(budget)) {
  request_.body = empty_body();
}

RequestReader::Phase RequestReader::phase() const {
  switch (state_) {
    case State::kSeekingHead:
      return begin_ == end_ && blank_lines_ == 0 ? Phase::kIdle : Phase::kHeader;
    case State::kHeadDone:
    case State::kBody:
    case State::kStream:
    case State::kPipe:
      return Phase::kBody;
    case State::kWhole:
    case State::kRefused:
      break;
  }
  return Phase::kWhole;
}

std::span<char> RequestReader::space() {
  if (state_ == State::kBody && direct_ && begin_ == end_) return body_->space();
  make_room();
  return {buffer_.data() + end_, buffer_.size() - end_};
}

void RequestReader::commit(std::size_t bytes) {
  if (state_ == State::kBody && direct_ && begin_ == end_) {
    wire_bytes_ += bytes;
    if (auto fault = body_->commit(bytes)) (void)refuse(std::move(*fault));
    return;
  }
  end_ += bytes;
}

void RequestReader::make_room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    // A buffer that grew for a body shrinks again.
    const bool streams = state_ == State::kStream || state_ == State::kPipe;
    if (state_ != State::kBody && !streams && buffer_.size() > header_limit_)
      buffer_ = std::vector<char>();
    if (streams && buffer_.size() < kBodyBuffer) buffer_.resize(kBodyBuffer);
  }
  if (end_ < buffer_.size()) return;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return;
  }
  const bool grows = state_ == State::kStream || state_ == State::kPipe;
  const std::size_t most =
      state_ == State::kBody || grows ? std::max(header_limit_, kBodyBuffer) : header_limit_;
  const std::size_t wanted = buffer_.empty() ? kFirstBuffer : buffer_.size() * 2;
  if (buffer_.size() < most) buffer_.resize(std::min(wanted, most));
}

void RequestReader::consume(std::size_t bytes) {
  begin_ += bytes;
  wire_bytes_ += bytes;
}

RequestReader::Event RequestReader::advance() {
  switch (state_) {
    case State::kSeekingHead:
      return seek_head();
    case State::kHeadDone:
      return Event::kNeedMore;
    case State::kBody:
      return take_body();
    case State::kStream:
      return take_part();
    case State::kPipe:
      return take_piped();
    case State::kWhole:
      return Event::kRequest;
    case State::kRefused:
      break;
  }
  return Event::kRefused;
}

// Looks at every line as it comes: what is wrong is refused before the rest is waited for, and a
// bare LF, which some readers take as the end of a line and others do not, never reaches the
// parser.
RequestReader::Event RequestReader::seek_head() {
  for (;;) {
    const std::string_view bytes = waiting();
    if (line_ == 0 && !bytes.empty() && bytes[0] != '\r' && !may_begin_method(bytes[0])) {
      return refuse(bad_request("this is not an HTTP request"));
    }
    const std::size_t lf = bytes.find('\n', scanned_);
    if (lf == std::string_view::npos) {
      scanned_ = bytes.size();
      return bytes.size() >= header_limit_ ? header_too_long() : Event::kNeedMore;
    }
    scanned_ = lf + 1;
    if (scanned_ > header_limit_) return header_too_long();
    if (const auto event = on_line(lf)) return *event;
  }
}

std::optional<RequestReader::Event> RequestReader::on_line(std::size_t lf) {
  const std::string_view bytes = waiting();
  if (lf == line_ || bytes[lf - 1] != '\r') return refuse(bad_request("a line ends without CR"));
  const bool empty = lf - 1 == line_;
  if (empty && line_ == 0) {
    if (++blank_lines_ > kBlankLinesMax) return refuse(bad_request("this is not an HTTP request"));
    consume(lf + 1);
    scanned_ = 0;
    return std::nullopt;
  }
  if (empty) return on_head(lf + 1);
  if (bytes[line_] == ' ' || bytes[line_] == '\t') {
    return refuse(bad_request("a header line begins with a blank"));
  }
  if (++lines_ > kHeaderLinesMax) {
    return refuse({431, invalid_argument("more than 128 header lines")});
  }
  line_ = lf + 1;
  return std::nullopt;
}

RequestReader::Event RequestReader::header_too_long() {
  const std::string limit = std::to_string(header_limit_) + " bytes (limits.header_bytes)";
  if (lines_ == 0) return refuse({414, invalid_argument("the target is longer than " + limit)});
  return refuse({431, invalid_argument("the header is longer than " + limit)});
}

RequestReader::Event RequestReader::on_head(std::size_t size) {
  if (auto fault = parse_head(waiting().substr(0, size), request_, head_)) {
    return refuse(std::move(*fault));
  }
  consume(size);
  state_ = State::kHeadDone;
  return Event::kHead;
}

void RequestReader::accept_body(std::size_t limit) {
  state_ = State::kBody;
  direct_ = !head_.chunked && head_.coding == ContentCoding::kIdentity;
  body_left_ = head_.content_length.value_or(0);
  if (body_left_ > limit) {
    (void)refuse(body_too_large(limit));
    return;
  }
  if (!head_.has_body()) return;
  BodyCollector::Plan plan;
  if (direct_) plan.exact = static_cast<std::size_t>(body_left_);
  plan.limit = limit;
  plan.skew = request_.inference_header_length.value_or(0);
  plan.coding = head_.coding;
  body_.emplace(budget_, plan);
  chunks_ = ChunkDecoder();
}

RequestReader::Event RequestReader::take_body() {
  if (!head_.has_body()) return finish_body();
  return head_.chunked ? take_chunks() : take_sized();
}

RequestReader::Event RequestReader::take_sized() {
  const std::uint64_t left = direct_ ? body_->space().size() : body_left_;
  const std::string_view piece = waiting().substr(0, left);
  if (!piece.empty()) {
    if (auto fault = body_->append(piece)) return refuse(std::move(*fault));
    consume(piece.size());
    body_left_ -= direct_ ? 0 : piece.size();
  }
  return left == piece.size() ? finish_body() : Event::kNeedMore;
}

RequestReader::Event RequestReader::take_chunks() {
  for (;;) {
    std::string_view input = waiting();
    std::string_view piece;
    const ChunkDecoder::Outcome outcome = chunks_.next(input, piece);
    consume(waiting().size() - input.size());
    switch (outcome) {
      case ChunkDecoder::Outcome::kNeedMore:
        return Event::kNeedMore;
      case ChunkDecoder::Outcome::kMalformed:
        return refuse(bad_request("malformed chunked body"));
      case ChunkDecoder::Outcome::kEnd:
        return finish_body();
      case ChunkDecoder::Outcome::kData:
        if (auto fault = body_->append(piece)) return refuse(std::move(*fault));
    }
  }
}

RequestReader::Event RequestReader::finish_body() {
  if (body_) {
    if (auto fault = body_->finish(request_.body)) return refuse(std::move(*fault));
    body_.reset();
  }
  state_ = State::kWhole;
  return Event::kRequest;
}

bool RequestReader::stream_body(std::size_t limit) {
  direct_ = false;
  state_ = head_.has_body() ? State::kStream : State::kWhole;
  if (state_ == State::kWhole) return true;
  body_left_ = head_.content_length.value_or(0);
  piece_left_ = 0;
  chunks_ = ChunkDecoder();
  stream_.emplace(budget_, limit, head_.coding);
  auto fault = stream_->open(head_.content_length);
  if (body_left_ > limit) fault = body_too_large(limit);
  if (fault) (void)refuse(std::move(*fault));
  return !fault;
}

void RequestReader::open_pipe() {
  direct_ = false;
  state_ = State::kPipe;
}

RequestReader::Event RequestReader::take_piped() {
  part_ = waiting();
  if (part_.empty()) return Event::kNeedMore;
  consume(part_.size());
  return Event::kPart;
}

RequestReader::Event RequestReader::take_part() {
  for (;;) {
    if (piece_left_ == 0 && !stream_->holds_back()) {
      const Event event = find_piece();
      if (event != Event::kPart) return event;
    }
    std::string_view input = waiting().substr(0, piece_left_);
    auto fault = stream_->next(input, part_);
    consume(piece_left_ - input.size());
    piece_left_ = input.size();
    if (fault) return refuse(std::move(*fault));
    if (!part_.empty()) return Event::kPart;
  }
}

// kPart: the front of what waits belongs to the body.
RequestReader::Event RequestReader::find_piece() {
  if (!head_.chunked) {
    if (body_left_ == 0) return end_stream();
    piece_left_ = std::min<std::uint64_t>(body_left_, waiting().size());
    body_left_ -= piece_left_;
    return piece_left_ == 0 ? Event::kNeedMore : Event::kPart;
  }
  std::string_view input = waiting();
  std::string_view piece;
  const ChunkDecoder::Outcome outcome = chunks_.next(input, piece);
  consume(waiting().size() - input.size() - piece.size());
  piece_left_ = piece.size();
  if (outcome == ChunkDecoder::Outcome::kMalformed) {
    return refuse(bad_request("malformed chunked body"));
  }
  if (outcome == ChunkDecoder::Outcome::kEnd) return end_stream();
  return outcome == ChunkDecoder::Outcome::kData ? Event::kPart : Event::kNeedMore;
}

RequestReader::Event RequestReader::end_stream() {
  if (auto fault = stream_->finish()) return refuse(std::move(*fault));
  stream_.reset();
  state_ = State::kWhole;
  return Event::kRequest;
}

RequestReader::Event RequestReader::refuse(HttpFault fault) {
  fault_ = std::move(fault);
  body_.reset();
  stream_.reset();
  state_ = State::kRefused;
  return Event::kRefused;
}

void RequestReader::next() {
  request_ = HttpRequest();
  request_.body = empty_body();
  head_ = RequestHead();
  scanned_ = line_ = lines_ = blank_lines_ = 0;
  wire_bytes_ = 0;
  state_ = State::kSeekingHead;
}

}  // namespace cortex::frontend
