// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace cortex::store {

// A door that a test opens once; whoever waits at it gives up after a minute, which fails the test.
class Latch {
 public:
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    condition_.notify_all();
  }
  void wait() {
    const TimePoint end = steady_clock().now() + std::chrono::minutes(1);
    MutexLock lock(mutex_);
    while (!open_) CHECK(condition_.wait_until(mutex_, end) || open_, "a test waits in vain");
  }

 private:
  Mutex mutex_;
  Condition condition_;
  bool open_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex::store
