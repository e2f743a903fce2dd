// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

namespace cortex {

// Lets one thread at a time work: who comes meanwhile, also out of the work itself, leaves his turn
// to it, and it looks again before it goes. Nobody waits. Thread-safe.
class Turns {
 public:
  // `work` takes in all that there is, whoever brought it.
  template <typename Work>
  void take(const Work& work) {
    if (left_.fetch_add(1) > 0) return;
    std::size_t seen = 1;
    do {
      seen = left_.load();
      work();
    } while (!left_.compare_exchange_strong(seen, 0));
  }

 private:
  std::atomic<std::size_t> left_{0};  // turns since somebody began
};

}  // namespace cortex
