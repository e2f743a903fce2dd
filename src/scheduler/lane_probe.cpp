// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_probe.h"

#include <algorithm>

namespace cortex::scheduler {

void LaneProbe::add_batch(std::size_t batch_rows) {
  const auto& bounds = LaneCounts::kBatchSizeBounds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), batch_rows) - bounds.begin();
  add(batch_sizes[static_cast<std::size_t>(bucket)]);
  add(executions);
  add(rows, batch_rows);
}

LaneCounts LaneProbe::read() const {
  const auto now = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  LaneCounts out;
  out.accepted = now(accepted);
  out.answered = now(answered);
  out.failed = now(failed);
  out.rejected_full = now(rejected_full);
  out.rejected_closed = now(rejected_closed);
  out.rejected_invalid = now(rejected_invalid);
  out.expired = now(expired);
  out.cancelled = now(cancelled);
  out.executions = now(executions);
  out.inline_runs = now(inline_runs);
  out.rows = now(rows);
  out.padded_elements = now(padded_elements);
  out.queue_ns = now(queue_ns);
  out.compute_input_ns = now(compute_input_ns);
  out.compute_ns = now(compute_ns);
  out.compute_output_ns = now(compute_output_ns);
  out.queue_length = now(queue_length);
  out.running = now(running);
  std::transform(batch_sizes.begin(), batch_sizes.end(), out.batch_sizes.begin(), now);
  return out;
}

}  // namespace cortex::scheduler
