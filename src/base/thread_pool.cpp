// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <utility>

namespace cortex {

ThreadPool::ThreadPool(const std::string& name, std::size_t threads, std::size_t queue_limit)
    : queue_limit_(queue_limit) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back(name + "-" + std::to_string(i), [this] { run(); });
  }
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  condition_.notify_all();
}

bool ThreadPool::submit(std::function<void()> call) {
  {
    MutexLock lock(mutex_);
    if (closed_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(call));
  }
  condition_.notify_one();
  return true;
}

void ThreadPool::run() {
  while (true) {
    std::function<void()> call;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !closed_) condition_.wait_until(mutex_, kNoDeadline);
      if (queue_.empty()) return;
      call = std::move(queue_.front());
      queue_.pop_front();
    }
    call();
  }
}

}  // namespace cortex
