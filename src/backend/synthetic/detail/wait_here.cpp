// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/wait_here.h"

#include "base/mutex.h"

namespace cortex::backend {

void wait_here(Duration duration) {
  const TimePoint end = steady_clock().now() + duration;
  Mutex mutex;
  Condition nobody_notifies;
  MutexLock lock(mutex);
  while (steady_clock().now() < end) {
    static_cast<void>(nobody_notifies.wait_until(mutex, end));
  }
}

}  // namespace cortex::backend
