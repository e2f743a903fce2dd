// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace cortex::cli::detail {

// Lines from a descriptor, as people type them. Thread: one.
class LineReader {
 public:
  enum class Kind { kLine, kEnd, kInterrupted };
  struct Line {
    Kind kind = Kind::kEnd;
    std::string text;  // without its line feed
  };

  // Both descriptors stay the caller's; `interrupt` may be below 0.
  LineReader(int input, int interrupt, std::size_t line_bytes_max)
      : input_(input), interrupt_(interrupt), line_bytes_max_(line_bytes_max) {}

  // Waits for a line, the end, or the interruption; what was typed of a line before that is
  // dropped. kResourceExhausted for a line that is too long, kUnavailable when the descriptor
  // cannot be read.
  [[nodiscard]] Result<Line> next();

 private:
  const int input_;
  const int interrupt_;
  const std::size_t line_bytes_max_;
  std::string read_;  // and not given yet
  bool at_end_ = false;
};

// All that comes until the end. kResourceExhausted beyond `bytes_max`.
[[nodiscard]] Result<std::string> read_to_end(int input, std::size_t bytes_max);

}  // namespace cortex::cli::detail
