// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/clock.h"

// Locks that clang's -Wthread-safety understands; the attributes vanish under other compilers.
#if defined(__clang__)
#define CORTEX_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define CORTEX_THREAD_ANNOTATION(x)
#endif
#define GUARDED_BY(x) CORTEX_THREAD_ANNOTATION(guarded_by(x))
#define REQUIRES_LOCK(x) CORTEX_THREAD_ANNOTATION(requires_capability(x))

namespace cortex {

class CORTEX_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() CORTEX_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() CORTEX_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class CORTEX_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CORTEX_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() CORTEX_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable beside a Mutex. Waits may wake without a reason: call them in a loop over
// the condition.
class Condition {
 public:
  // False when `deadline` passed first. REQUIRES: `mutex` is held; it is held again on return.
  bool wait_until(Mutex& mutex, TimePoint deadline) REQUIRES_LOCK(mutex);
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace cortex
