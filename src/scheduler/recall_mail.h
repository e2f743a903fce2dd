// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "cache/prefix_store.h"

namespace cortex::scheduler {

// Where the prefix store leaves what it read for the lane's thread. Outlives the lane while a load
// is under way. Thread-safe.
class RecallMail {
 public:
  struct Letter {
    std::uint64_t ticket = 0;
    Result<cache::PrefixStore::State> state;
  };

  explicit RecallMail(std::function<void()> wake) : wake_(std::move(wake)) {}

  void leave(std::uint64_t ticket, Result<cache::PrefixStore::State> state) {
    {
      MutexLock lock(mutex_);
      letters_.push_back({ticket, std::move(state)});
    }
    if (wake_) wake_();
  }
  [[nodiscard]] std::vector<Letter> take() {
    MutexLock lock(mutex_);
    return std::exchange(letters_, {});
  }

 private:
  const std::function<void()> wake_;
  Mutex mutex_;
  std::vector<Letter> letters_ GUARDED_BY(mutex_);
};

}  // namespace cortex::scheduler
