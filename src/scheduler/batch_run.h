// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "backend/tensor_backend.h"
#include "base/clock.h"
#include "base/status.h"
#include "scheduler/lane_probe.h"
#include "scheduler/tensor_layout.h"
#include "scheduler/waiting.h"

namespace cortex::scheduler {

// Takes one closed batch through the backend. One per thread, used again for every batch, so that
// its vectors keep their memory. Thread: the one that owns it.
//
// A batch of one goes in and comes out as it is; more are gathered, padded and cut apart again.
// When the engine finds fault with the inputs of a batch of several, each runs once more alone, so
// that only the one at fault pays for it; any other failure ends exactly the requests of its batch.
// Lack of memory is a failure like any other.
class BatchRun {
 public:
  BatchRun(
      backend::TensorBackend& backend,
      const TensorLayout& layout,
      const Clock& clock,
      LaneProbe& probe
  );

  // Runs the batch; answers with the time spent in the engine. deliver() must follow.
  Duration run(const Batch& batch);
  // Ends the streams of the batch's members with their answers, and lets go of the batch.
  void deliver(Batch& batch);

 private:
  [[nodiscard]] Status run_together(const Batch& batch);
  [[nodiscard]] Status run_alone(const Waiting& member, std::vector<Tensor>& answer);
  [[nodiscard]] Status run_several(const Batch& batch);
  [[nodiscard]] Status compute(std::size_t rows, std::vector<Tensor>& outputs, std::size_t wanted);
  void run_one_by_one(const Batch& batch);
  void release_inputs();

  backend::TensorBackend& backend_;
  const TensorLayout& layout_;
  const Clock& clock_;
  LaneProbe& probe_;
  backend::TensorRun run_;
  std::vector<std::vector<Tensor>> answers_;  // by member
  std::vector<Status> statuses_;              // by member
  Timings timings_;
  TimePoint mark_{};
};

}  // namespace cortex::scheduler
