// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "backend/tensor_backend.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "request/model_config.h"
#include "request/servable.h"
#include "scheduler/batch_run.h"
#include "scheduler/lane_core.h"
#include "scheduler/lane_probe.h"
#include "scheduler/tensor_layout.h"

namespace cortex::scheduler {

struct TensorLaneOptions {
  ModelIdentity identity;
  ModelConfig config;         // completed: max_batch_size, batching and parameters are read
  std::size_t instances = 1;  // threads, from the core budget; at least 1
  std::size_t queue_size_max = 512;
  // Models of a few microseconds may run on the submitting thread (inline_run_policy.h).
  bool run_inline = true;
  std::shared_ptr<LaneProbe> probe;  // null: one of its own
};

// The queue of one loaded version and the threads of its instances. Requests that fit together
// share a run of the backend (batch_policy.h), unless that would change an answer
// (tensor_layout.h).
//
// Threads: submit() and drain() from any; the backend is run by the lane's own threads, one run at
// a time each, and by submitting threads under the inline policy; never more runs at once than
// instances. Streams are ended on these threads, with no lock held. Limits: the queue
// (kResourceExhausted with the time it takes to drain), a level's own bound, and the time a request
// may wait (kDeadlineExceeded). Expiry is noticed when an instance looks at the queue or another
// request comes, so a run that takes long delays it.
class TensorLane final : public Servable {
 public:
  // `clock` outlives the lane.
  TensorLane(
      TensorLaneOptions options, std::shared_ptr<backend::TensorBackend> backend, const Clock& clock
  );
  // Ends what waits with kUnavailable and lets the batches that run end. Not from a stream's wake
  // function.
  ~TensorLane() override;

  // The caller keeps the lane alive until this returns.
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override;

  // Refuses further requests with kUnavailable; what waits is still served.
  void drain();

  [[nodiscard]] const LaneProbe& probe() const { return *probe_; }

 private:
  void serve(std::size_t instance);
  [[nodiscard]] bool take(std::size_t instance, Batch& batch, std::vector<Ending>& endings);
  [[nodiscard]] Condition* next_sleeper_locked() REQUIRES_LOCK(mutex_);
  void deliver(BatchRun& run, Batch& batch);
  void finish_batch(std::size_t members, Duration compute);
  void admit(Waiting& waiting);
  void run_inline(Batch& batch);

  const std::shared_ptr<LaneProbe> probe_;
  const std::shared_ptr<backend::TensorBackend> backend_;
  const Clock& clock_;
  const TensorLayout layout_;
  const bool delivers_in_order_;

  Mutex mutex_;
  Condition turn_;                            // the batch before was delivered
  const std::unique_ptr<Condition[]> wakes_;  // one per instance: it should look at the queue
  LaneCore core_ GUARDED_BY(mutex_);
  // Instances that sleep. The last one to fall asleep is woken first: its core and memory are warm.
  std::vector<std::size_t> sleeping_ GUARDED_BY(mutex_);
  std::uint64_t delivered_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<Thread> threads_;
};

}  // namespace cortex::scheduler
