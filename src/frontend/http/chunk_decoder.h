// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cortex::frontend {

// Takes the chunked coding off a body, byte by byte where it must and in whole pieces where it can:
// time is linear and memory constant however the bytes are sliced. Extensions and trailers are read
// past, within bounds. (Beast's own decoder asserts on a last chunk that arrives in three pieces,
// so it is not used.)
class ChunkDecoder {
 public:
  enum class Outcome { kNeedMore, kData, kEnd, kMalformed };

  // Cuts what it understood from the front of `input`. On kData, `data` is the next piece of the
  // body and points into what was cut. After kEnd `input` holds what follows the body. After
  // kMalformed the decoder is of no more use.
  [[nodiscard]] Outcome next(std::string_view& input, std::string_view& data);

 private:
  enum class State : std::uint8_t {
    kSizeFirst,       // at least one digit
    kSize,            // more digits, an extension, or CR
    kExtension,       // up to CR
    kSizeEnd,         // LF
    kData,            // `left_` bytes
    kDataCr,          // CR behind the data
    kDataLf,          // LF behind it
    kTrailer,         // the start of a trailer line, or CR of the empty one
    kTrailerLine,     // up to CR
    kTrailerLineEnd,  // LF
    kLastLf,          // LF of the empty line
  };
  [[nodiscard]] Outcome step(char c);
  [[nodiscard]] Outcome on_size(char c);
  [[nodiscard]] Outcome on_overhead(char c, State at_end);

  State state_ = State::kSizeFirst;
  std::uint64_t left_ = 0;
  std::size_t overhead_ = 0;  // bytes of extensions and trailers so far
};

}  // namespace cortex::frontend
