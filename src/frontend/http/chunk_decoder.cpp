// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/chunk_decoder.h"

#include <algorithm>

namespace cortex::frontend {
namespace {

constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 56;
// All extensions and trailers of one body together.
constexpr std::size_t kOverheadBytesMax = 16 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ChunkDecoder::Outcome ChunkDecoder::next(std::string_view& input, std::string_view& data) {
  while (!input.empty()) {
    if (state_ == State::kData) {
      const std::size_t size = std::min<std::uint64_t>(left_, input.size());
      data = input.substr(0, size);
      input.remove_prefix(size);
      left_ -= size;
      if (left_ == 0) state_ = State::kDataCr;
      return Outcome::kData;
    }
    const char c = input.front();
    input.remove_prefix(1);
    const Outcome outcome = step(c);
    if (outcome != Outcome::kNeedMore) return outcome;
  }
  return Outcome::kNeedMore;
}

ChunkDecoder::Outcome ChunkDecoder::step(char c) {
  const auto expect = [&](char wanted, State then) {
    state_ = then;
    return c == wanted ? Outcome::kNeedMore : Outcome::kMalformed;
  };
  switch (state_) {
    case State::kSizeFirst:
      left_ = 0;
      state_ = State::kSize;
      return hex_digit(c) < 0 ? Outcome::kMalformed : on_size(c);
    case State::kSize:
      return on_size(c);
    case State::kExtension:
      return on_overhead(c, State::kSizeEnd);
    case State::kSizeEnd:
      return expect('\n', left_ == 0 ? State::kTrailer : State::kData);
    case State::kDataCr:
      return expect('\r', State::kDataLf);
    case State::kDataLf:
      return expect('\n', State::kSizeFirst);
    case State::kTrailer:
      if (c == '\r') return expect('\r', State::kLastLf);
      state_ = State::kTrailerLine;
      return on_overhead(c, State::kTrailerLineEnd);
    case State::kTrailerLine:
      return on_overhead(c, State::kTrailerLineEnd);
    case State::kTrailerLineEnd:
      return expect('\n', State::kTrailer);
    case State::kLastLf:
      return c == '\n' ? Outcome::kEnd : Outcome::kMalformed;
    case State::kData:
      break;
  }
  return Outcome::kMalformed;
}

ChunkDecoder::Outcome ChunkDecoder::on_size(char c) {
  const int digit = hex_digit(c);
  if (digit >= 0) {
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    // Leading zeros could go on for ever, so digits count as overhead too once there are many.
    return left_ > kChunkBytesMax || (left_ == 0 && ++overhead_ > kOverheadBytesMax)
               ? Outcome::kMalformed
               : Outcome::kNeedMore;
  }
  if (c == '\r') {
    state_ = State::kSizeEnd;
    return Outcome::kNeedMore;
  }
  state_ = State::kExtension;
  return c == ';' || c == ' ' || c == '\t' ? Outcome::kNeedMore : Outcome::kMalformed;
}

ChunkDecoder::Outcome ChunkDecoder::on_overhead(char c, State at_end) {
  if (c == '\r') {
    state_ = at_end;
    return Outcome::kNeedMore;
  }
  const auto byte = static_cast<unsigned char>(c);
  const bool control = (byte < 0x20 && c != '\t') || byte == 0x7F;
  return control || ++overhead_ > kOverheadBytesMax ? Outcome::kMalformed : Outcome::kNeedMore;
}

}  // namespace cortex::frontend
