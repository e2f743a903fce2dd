// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "scheduler/waiting.h"

namespace cortex::scheduler {

struct BatchLimits {
  std::size_t rows_max = 1;                  // 1: every request runs alone
  std::vector<std::size_t> preferred_sizes;  // rows, ascending, each at most rows_max
  Duration queue_delay_max{};                // from the oldest member's submission
  bool preserve_ordering = false;            // batches are taken from the front, without gaps
};

// All levels of a lane's queue, the most urgent first.
using QueueView = std::span<const Level>;

// A place in the queue: queue[level].waiting[index].
struct Position {
  std::size_t level;
  std::size_t index;
  friend bool operator==(const Position&, const Position&) = default;
};

// What an idle instance does: run these requests now, or look again at a later moment.
struct BatchPlan {
  std::vector<Position> take;          // the leader first; empty: nothing to run yet
  TimePoint wait_until = kNoDeadline;  // when take is empty
};

// Decides which requests run next, and when: values in, values out. Immutable, thread-safe.
//
// The oldest request of the most urgent level leads; the batch grows around it by requests with its
// key, oldest first, then from the other levels. Rows that must be padded join while the padding
// stays cheap (length_buckets.h). A batch runs at once when it is full, has a preferred size,
// cannot grow because others wait that do not fit into it, or when its oldest member has waited for
// queue_delay_max. Without a delay an idle instance never waits.
//
// Nobody starves: each batch takes the first request of the level that leads, so a request runs
// after at most as many batches of its level as requests stood before it; a level is passed over
// kPassedOverMax times, and then leads once the levels below it that are due as well have led.
class BatchPolicy {
 public:
  // One batch in 65 may go to a level that others keep passing over: enough to move on, too little
  // to be felt above.
  static constexpr std::size_t kPassedOverMax = 64;

  explicit BatchPolicy(BatchLimits limits);

  [[nodiscard]] BatchPlan next(QueueView queue, TimePoint now) const;

  [[nodiscard]] const BatchLimits& limits() const { return limits_; }

 private:
  class Draft;
  void grow(Draft& draft, QueueView queue) const;
  void grow_in_order(Draft& draft, QueueView queue) const;
  [[nodiscard]] BatchPlan close(Draft& draft, std::size_t waiting, TimePoint now) const;

  BatchLimits limits_;
};

// The level whose first request leads the next batch; nothing when all are empty.
[[nodiscard]] std::optional<std::size_t> leading_level(QueueView queue);

}  // namespace cortex::scheduler
