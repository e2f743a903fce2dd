// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "store/detail/work_queue.h"

namespace cortex::store {

// A thread that answers works whose deadline passed while they waited, so that a database that
// hangs keeps nobody. It looks ten times per deadline. The queues outlive it.
class ExpiryWatch {
 public:
  ExpiryWatch(std::vector<WorkQueue*> queues, Duration deadline);
  ~ExpiryWatch();

 private:
  void run();

  const std::vector<WorkQueue*> queues_;
  const Duration interval_;
  Mutex mutex_;
  Condition condition_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace cortex::store
