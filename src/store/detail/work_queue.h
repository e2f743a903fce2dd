// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/detail/store_probe.h"
#include "store/store.h"

namespace cortex::store {

// A work that was accepted: its done() is owed.
struct PendingWork {
  Store::Work work;
  Store::Done done;
  Durability durability = Durability::kStrict;
  TimePoint deadline;
};

// Where works wait for a thread of the store's, first come, first served. Thread-safe.
class WorkQueue {
 public:
  // The probe outlives the queue.
  WorkQueue(StoreProbe::Side side, const StoreOptions& options, StoreProbe& probe);

  // Takes the work, or calls `done` with a refusal.
  void submit(Store::Work work, Store::Done done, Durability durability);

  // The next works, at most `limit`, waiting for the first. Empty when the queue is closed and
  // nothing is left.
  [[nodiscard]] std::vector<PendingWork> take(std::size_t limit);
  // Answers the works that waited longer than their deadline.
  void expire(TimePoint now);
  // Refuses further works; what waits can still be taken.
  void close();
  [[nodiscard]] std::size_t size() const;

 private:
  // Takes the work only when it answers OK.
  Status put(PendingWork& pending);

  const StoreProbe::Side side_;
  const std::string name_;  // for refusals
  const std::size_t limit_;
  const Duration deadline_;
  StoreProbe& probe_;
  mutable Mutex mutex_;
  Condition condition_;
  std::deque<PendingWork> works_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex::store
