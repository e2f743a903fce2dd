// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace cortex::scheduler {

// What the policy sees of a lane and of one request.
struct InlineView {
  std::size_t waiting = 0;  // requests in the queue
  std::size_t running = 0;  // batches in the engine
  std::size_t instances = 1;
  std::size_t input_bytes = 0;
};

// May a request run on the thread that submits it, instead of waking a lane's thread and being
// woken by it? For a model of a few microseconds the two hand-offs cost more than the run. Allowed
// when nothing waits, an instance is free, the request is small, and the model's runs were short
// for a while.
//
// No run can be taken back, so a submitting thread is held for one run; the bound is on how often
// that may be a long one: two runs that overrun kOverrun close together send the lane back to its
// threads until kTrialRuns in a row were short on average. One alone does not: on a busy machine it
// is mostly the thread that was put aside, not the model. Plain values under the lane's lock.
class InlineRunPolicy {
 public:
  static constexpr Duration kComputeMax = std::chrono::microseconds(30);
  static constexpr Duration kOverrun = 16 * kComputeMax;
  static constexpr std::size_t kInputBytesMax = 16 * 1024;
  static constexpr std::uint32_t kTrialRuns = 32;

  explicit InlineRunPolicy(bool enabled) : enabled_(enabled) {}

  [[nodiscard]] bool allows(const InlineView& view) const {
    return enabled_ && trial_ == 0 && view.waiting == 0 && view.running < view.instances &&
           view.input_bytes <= kInputBytesMax;
  }
  // Learns from a run of any kind.
  void observe(Duration compute) {
    mean_ += (std::min(compute, kOverrun) - mean_) / 32;
    if (mean_ >= kComputeMax) {
      trial_ = kTrialRuns;
    } else if (trial_ > 0) {
      --trial_;
    }
  }

 private:
  bool enabled_;
  std::uint32_t trial_ = kTrialRuns;  // short runs to see before the first inline one
  Duration mean_ = kComputeMax;
};

}  // namespace cortex::scheduler
