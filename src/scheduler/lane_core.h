// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "request/model_config.h"
#include "scheduler/batch_policy.h"
#include "scheduler/inline_run_policy.h"
#include "scheduler/lane_probe.h"
#include "scheduler/waiting.h"

namespace cortex::scheduler {

struct LaneCoreOptions {
  std::string model;         // for messages
  BatchingConfig batching;   // levels, queue policies, delay, sizes
  std::size_t rows_max = 1;  // of one batch; 1: every request alone
  std::size_t queue_size_max = 512;
  std::size_t instances = 1;
  bool run_inline = false;
};

// A lane without threads, clock and engine: the queue, who runs next, who waited too long, who is
// refused. Time comes in as a value and streams to end go out as values, so that a simulation
// drives the very code that serves. Not thread-safe: TensorLane calls it under its lock.
class LaneCore {
 public:
  LaneCore(LaneCoreOptions options, LaneProbe& probe);

  struct Admission {
    Status status;      // kResourceExhausted with retry_after, kDeadlineExceeded, kUnavailable
    bool wake = false;  // an instance that sleeps should look again
  };
  // Takes `waiting` (key, rows, length, alone, request and stream set) when the status is OK, else
  // leaves it.
  [[nodiscard]] Admission add(Waiting& waiting, TimePoint now, std::vector<Ending>& endings);

  // Takes `waiting` into `batch` for the calling thread to run at once, when that is allowed;
  // done() must follow.
  [[nodiscard]] bool start_inline(
      Waiting& waiting, std::size_t input_bytes, TimePoint now, Batch& batch
  );

  struct Step {
    bool run = false;           // `batch` is filled; done() must follow
    bool wake_another = false;  // there is something left to decide for another idle instance
    TimePoint wait_until = kNoDeadline;  // when not run: look again then, or when woken
  };
  // What an idle instance does now. Requests that expired or were cancelled come out in `endings`.
  [[nodiscard]] Step next(TimePoint now, Batch& batch, std::vector<Ending>& endings);

  // A batch ended after `compute` in the engine. True when an instance that sleeps should look
  // again.
  bool done(std::size_t members, Duration compute);

  // Refuses further requests; what waits is still served.
  void drain() { draining_ = true; }
  // Refuses further requests and gives up all that wait.
  void close(std::vector<Ending>& endings);

  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] QueueView queue() const { return levels_; }
  [[nodiscard]] const BatchPolicy& policy() const { return policy_; }
  // After which time the queue as it is now will probably be served.
  [[nodiscard]] std::chrono::milliseconds drained_in() const;

 private:
  [[nodiscard]] std::size_t level_of(const Request& request) const;
  [[nodiscard]] const QueuePolicy& queue_policy(std::size_t level) const;
  [[nodiscard]] Status refuse_if_full(std::size_t level) const;
  void set_times(Waiting& waiting, const QueuePolicy& policy, TimePoint now) const;
  [[nodiscard]] bool changes_the_plan(const Waiting& waiting) const;
  void drop(Waiting& waiting, Status status, TimePoint now, std::vector<Ending>& endings);
  void sweep(TimePoint now, std::vector<Ending>& endings);
  void sweep_level(Level& level, TimePoint now, std::vector<Ending>& endings);
  [[nodiscard]] bool drop_cancelled(
      const BatchPlan& plan, TimePoint now, std::vector<Ending>& endings
  );
  void take(const BatchPlan& plan, TimePoint now, Batch& batch);
  void join(Waiting&& waiting, TimePoint now, Batch& batch);
  void remove_taken(std::size_t count);
  void count_passed_over(std::size_t leading);
  void start(Batch& batch, TimePoint now);

  const LaneCoreOptions options_;
  const BatchPolicy policy_;
  const std::size_t wake_rows_;  // rows at which a batch that waits for its delay may close early
  LaneProbe& probe_;
  std::vector<Level> levels_;
  std::size_t waiting_ = 0;
  std::size_t waiting_rows_ = 0;
  std::size_t running_ = 0;
  std::uint64_t batches_ = 0;
  TimePoint next_event_ = kNoDeadline;  // no later than the first expiry or delay of what waits
  TimePoint next_look_ = kNoDeadline;   // when the last idle instance said it would come back
  Duration mean_service_{};             // of one request
  InlineRunPolicy inline_policy_;
  bool draining_ = false;
};

}  // namespace cortex::scheduler
