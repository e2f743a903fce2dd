// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace cortex::registry {

// Wakes the thread that watches over the adapters. Outlives the shelf where a request still holds a
// lease. Thread-safe.
class AdapterSignal {
 public:
  struct News {
    bool tend = false;    // something may be loaded, or let go of
    bool reread = false;  // the store has news
    bool ended = false;
  };

  void wake() {
    MutexLock lock(mutex_);
    woken_ = true;
    condition_.notify_all();
  }
  void tell(const News& news) {
    MutexLock lock(mutex_);
    news_.tend |= news.tend;
    news_.reread |= news.reread;
    news_.ended |= news.ended;
    woken_ = true;
    condition_.notify_all();
  }

  // Waits for news until `until`.
  News wait(TimePoint until) {
    MutexLock lock(mutex_);
    while (!woken_) {
      if (!condition_.wait_until(mutex_, until)) break;
    }
    woken_ = false;
    return std::exchange(news_, {});
  }

 private:
  Mutex mutex_;
  Condition condition_;
  bool woken_ GUARDED_BY(mutex_) = false;
  News news_ GUARDED_BY(mutex_);
};

}  // namespace cortex::registry
