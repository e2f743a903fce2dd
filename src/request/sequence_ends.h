// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace cortex {

// Sequences of one request that its reader wants no more of, while others of it go on: he ends
// them, the lane asks before every step. What was drawn meanwhile may still come. Thread-safe.
class SequenceEnds {
 public:
  explicit SequenceEnds(std::size_t sequences) : ended_(sequences) {}

  // REQUIRES: sequence < sequences.
  void end(std::size_t sequence) {
    CHECK(sequence < ended_.size(), "a sequence of the request");
    ended_[sequence].store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] bool ended(std::size_t sequence) const {
    return sequence < ended_.size() && ended_[sequence].load(std::memory_order_relaxed);
  }

 private:
  std::vector<std::atomic<bool>> ended_;
};

}  // namespace cortex
