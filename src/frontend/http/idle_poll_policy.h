// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace cortex::frontend {

// How long an io thread without work looks for more before it sleeps. A core that sleeps is woken
// late and cold: on a virtual machine that costs a request more than its own work. So a thread
// whose work mostly comes within `limit` polls for that long; one whose work does not sleeps at
// once, and wastes at most `limit` on one idle time in kWidth. Plain values; thread: the loop's
// own.
class IdlePollPolicy {
 public:
  // Zero switches polling off.
  explicit IdlePollPolicy(Duration limit) : limit_(limit) {}

  // How long to poll in the idle time that begins now.
  [[nodiscard]] Duration next() const { return score_ >= kEnough ? limit_ : Duration::zero(); }

  // Learns how long the thread was without work.
  void observe(Duration idle) {
    score_ = idle <= limit_ ? std::min(score_ + 1, kWidth) : std::max(score_ - kMiss, 0);
  }

 private:
  static constexpr int kWidth = 16;  // short idle times that are remembered
  static constexpr int kEnough = 8;  // of them: half
  static constexpr int kMiss = 4;    // what a long one takes away

  Duration limit_;
  int score_ = 0;
};

}  // namespace cortex::frontend
