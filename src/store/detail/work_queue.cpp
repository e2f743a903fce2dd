// SPDX-License-Identifier: Apache-2.0
#include "store/detail/work_queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace cortex::store {
namespace {

// A full queue is worked off in about this time on a slow disk.
constexpr std::chrono::milliseconds kRetryAfter{250};

}  // namespace

WorkQueue::WorkQueue(StoreProbe::Side side, const StoreOptions& options, StoreProbe& probe)
    : side_(side),
      name_(side == StoreProbe::Side::kWriting ? "writes" : "reads"),
      limit_(options.queue_limit),
      deadline_(options.deadline),
      probe_(probe) {}

Status WorkQueue::put(PendingWork& pending) {
  MutexLock lock(mutex_);
  if (closed_) return unavailable("the store is closing");
  if (works_.size() >= limit_) {
    const Status full = resource_exhausted(
        "the store's queue of " + std::to_string(limit_) + " " + name_ + " is full"
    );
    return full.with_retry_after(kRetryAfter);
  }
  works_.push_back(std::move(pending));
  return {};
}

void WorkQueue::submit(Store::Work work, Store::Done done, Durability durability) {
  const TimePoint deadline = steady_clock().now() + deadline_;
  PendingWork pending{std::move(work), std::move(done), durability, deadline};
  const Status refusal = put(pending);
  if (refusal.ok()) {
    condition_.notify_one();
    return;
  }
  probe_.count_refusal();
  pending.done(refusal);
}

std::vector<PendingWork> WorkQueue::take(std::size_t limit) {
  std::vector<PendingWork> taken;
  MutexLock lock(mutex_);
  while (works_.empty() && !closed_) condition_.wait_until(mutex_, kNoDeadline);
  const auto end = works_.begin() + static_cast<std::ptrdiff_t>(std::min(limit, works_.size()));
  taken.assign(std::make_move_iterator(works_.begin()), std::make_move_iterator(end));
  works_.erase(works_.begin(), end);
  return taken;
}

void WorkQueue::expire(TimePoint now) {
  std::vector<PendingWork> late;
  {
    MutexLock lock(mutex_);
    while (!works_.empty() && works_.front().deadline <= now) {
      late.push_back(std::move(works_.front()));
      works_.pop_front();
    }
  }
  for (PendingWork& pending : late) {
    const Status status = deadline_exceeded("the work waited too long among the store's " + name_);
    probe_.observe(side_, status);
    pending.done(status);
  }
}

void WorkQueue::close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  condition_.notify_all();
}

std::size_t WorkQueue::size() const {
  MutexLock lock(mutex_);
  return works_.size();
}

}  // namespace cortex::store
