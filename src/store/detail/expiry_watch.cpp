// SPDX-License-Identifier: Apache-2.0
#include "store/detail/expiry_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace cortex::store {

ExpiryWatch::ExpiryWatch(std::vector<WorkQueue*> queues, Duration deadline)
    : queues_(std::move(queues)),
      interval_(
          std::clamp<Duration>(deadline / 10, std::chrono::milliseconds(5), std::chrono::seconds(1))
      ),
      thread_("store-expiry", [this] { run(); }) {}

ExpiryWatch::~ExpiryWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  condition_.notify_all();
}

void ExpiryWatch::run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) condition_.wait_until(mutex_, steady_clock().now() + interval_);
      if (stopping_) return;
    }
    for (WorkQueue* queue : queues_) queue->expire(steady_clock().now());
  }
}

}  // namespace cortex::store
