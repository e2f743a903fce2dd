// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/mutex.h"

namespace cortex::store {

// The newest revision that this process knows, and who is told of it. Thread-safe.
class ChangeFeed {
 public:
  [[nodiscard]] std::int64_t revision() const { return revision_.load(); }
  void on_change(std::function<void(std::int64_t)> changed);
  // Tells the follower when `revision` is news; calls come one after another, in ascending order.
  void advance(std::int64_t revision);

 private:
  std::atomic<std::int64_t> revision_{0};
  Mutex mutex_;  // held while the follower is called, which keeps the calls in order
  std::function<void(std::int64_t)> changed_ GUARDED_BY(mutex_);
};

}  // namespace cortex::store
