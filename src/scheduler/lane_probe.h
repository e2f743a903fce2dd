// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace cortex::scheduler {

// What a lane counted so far. Durations are sums in nanoseconds.
struct LaneCounts {
  // Upper bounds of batch_sizes, in rows; the last bucket of batch_sizes is what is above them.
  static constexpr std::array<std::size_t, 10> kBatchSizeBounds = {
      1, 2, 4, 8, 16, 32, 64, 128, 256, 512
  };

  std::uint64_t accepted = 0;          // requests
  std::uint64_t answered = 0;          // requests that ended well
  std::uint64_t failed = 0;            // requests whose run failed
  std::uint64_t rejected_full = 0;     // refused by a bound of the queue
  std::uint64_t rejected_closed = 0;   // refused or ended because the lane drains or ends
  std::uint64_t rejected_invalid = 0;  // did not fit the model
  std::uint64_t expired = 0;           // waited too long
  std::uint64_t cancelled = 0;         // the client left before its batch was closed
  std::uint64_t executions = 0;        // runs of the backend
  std::uint64_t inline_runs = 0;       // of those, on the submitting thread
  std::uint64_t rows = 0;              // rows of all runs
  std::uint64_t padded_elements = 0;   // positions that were filled in
  std::uint64_t queue_ns = 0;          // over requests
  std::uint64_t compute_input_ns = 0;  // over executions, as the following
  std::uint64_t compute_ns = 0;
  std::uint64_t compute_output_ns = 0;
  std::uint64_t queue_length = 0;  // now
  std::uint64_t running = 0;       // batches now
  std::array<std::uint64_t, kBatchSizeBounds.size() + 1> batch_sizes{};
};

// A lane's counters: written by the lane with relaxed atomics, read by whoever exports them. A
// reading is no consistent cut, each number in it is right by itself. Thread-safe.
class LaneProbe {
 public:
  using Counter = std::atomic<std::uint64_t>;

  Counter accepted{0}, answered{0}, failed{0};
  Counter rejected_full{0}, rejected_closed{0}, rejected_invalid{0}, expired{0}, cancelled{0};
  Counter executions{0}, inline_runs{0}, rows{0}, padded_elements{0};
  Counter queue_ns{0}, compute_input_ns{0}, compute_ns{0}, compute_output_ns{0};
  Counter queue_length{0}, running{0};
  std::array<Counter, LaneCounts::kBatchSizeBounds.size() + 1> batch_sizes{};

  static void add(Counter& counter, std::uint64_t by = 1) {
    counter.fetch_add(by, std::memory_order_relaxed);
  }
  static void add(Counter& counter, Duration by) {
    add(counter, static_cast<std::uint64_t>(std::chrono::nanoseconds(by).count()));
  }
  // For gauges, which one thread at a time writes.
  static void set(Counter& gauge, std::uint64_t value) {
    gauge.store(value, std::memory_order_relaxed);
  }
  void add_batch(std::size_t batch_rows);

  [[nodiscard]] LaneCounts read() const;
};

}  // namespace cortex::scheduler
