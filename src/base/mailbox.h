// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace cortex {

// A bounded queue from many threads to one. The receiver swaps the whole content out under the
// lock, it never copies. Thread-safe.
template <typename T>
class Mailbox {
 public:
  explicit Mailbox(std::size_t capacity) : capacity_(capacity) {}

  enum class Put { kAccepted, kFull, kClosed };

  // Takes `item` only when it answers kAccepted. Never blocks.
  [[nodiscard]] Put put(T&& item) {
    MutexLock lock(mutex_);
    if (closed_) return Put::kClosed;
    if (items_.size() >= capacity_) return Put::kFull;
    items_.push_back(std::move(item));
    condition_.notify_one();  // still locked: who took the item may let the mailbox go at once
    return Put::kAccepted;
  }

  // Moves all items into `out` (which must be empty), waiting until there is one, the deadline
  // passes or the mailbox is closed. False when it is closed and empty: nothing will ever come
  // again.
  bool take_all(std::vector<T>& out, TimePoint deadline) {
    MutexLock lock(mutex_);
    while (items_.empty() && !closed_) {
      if (!condition_.wait_until(mutex_, deadline)) break;
    }
    items_.swap(out);
    return !closed_ || !out.empty();
  }

  // Refuses further items and wakes the receiver; what is inside can still be taken.
  void close() {
    MutexLock lock(mutex_);
    closed_ = true;
    condition_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    MutexLock lock(mutex_);
    return items_.size();
  }

 private:
  const std::size_t capacity_;
  mutable Mutex mutex_;
  Condition condition_;
  std::vector<T> items_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex
