// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"

namespace cortex {

// A bounded pool for work that is too long for an io thread (tokenising a long text, decoding an
// image). The destructor finishes what was accepted. Thread-safe.
class ThreadPool {
 public:
  // Threads are named "<name>-0", "<name>-1", … At most `queue_limit` calls wait.
  ThreadPool(const std::string& name, std::size_t threads, std::size_t queue_limit);
  ~ThreadPool();

  // False when the queue is full or the pool ends: `call` was not taken.
  [[nodiscard]] bool submit(std::function<void()> call);

 private:
  void run();

  const std::size_t queue_limit_;
  Mutex mutex_;
  Condition condition_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<Thread> threads_;
};

}  // namespace cortex
