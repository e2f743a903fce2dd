// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "base/mutex.h"

namespace cortex {

// An immutable value published by one writer and read by many threads. A reader keeps what it
// loaded for as long as it holds the pointer; publishing never waits for readers. Thread-safe.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  [[nodiscard]] std::shared_ptr<const T> load() const {
    MutexLock lock(mutex_);
    return current_;
  }

  // The value that was replaced is released outside the lock.
  void publish(std::shared_ptr<const T> next) {
    {
      MutexLock lock(mutex_);
      current_.swap(next);
    }
    next.reset();
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> current_ GUARDED_BY(mutex_);
};

}  // namespace cortex
