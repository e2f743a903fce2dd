// SPDX-License-Identifier: Apache-2.0
#include "base/mutex.h"

namespace cortex {

bool Condition::wait_until(Mutex& mutex, TimePoint deadline) {
  std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
  bool in_time = true;
  if (deadline == kNoDeadline) {
    condition_.wait(lock);
  } else {
    in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
  }
  lock.release();
  return in_time;
}

}  // namespace cortex
