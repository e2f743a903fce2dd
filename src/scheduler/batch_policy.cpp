// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_policy.h"

#include <algorithm>
#include <utility>

#include "scheduler/length_buckets.h"

namespace cortex::scheduler {

// A batch that grows around its leader.
class BatchPolicy::Draft {
 public:
  Draft(const BatchLimits& limits, const Waiting& leader, Position at)
      : limits_(limits), leader_(leader) {
    join(leader, at);
  }

  [[nodiscard]] bool full() const { return leader_.alone || rows_ >= limits_.rows_max; }
  [[nodiscard]] bool same_bucket(const Waiting& other) const {
    return length_bucket(other.length) == length_bucket(leader_.length);
  }
  // Adds `other` when it may share this batch.
  bool offer(const Waiting& other, Position at) {
    if (full() || other.alone || other.key != leader_.key) return false;
    if (rows_ + other.rows > limits_.rows_max) return false;
    if (!cost_.accepts(other.rows, other.length)) return false;
    join(other, at);
    return true;
  }

  [[nodiscard]] TimePoint oldest() const { return oldest_; }
  [[nodiscard]] bool pads() const { return leader_.length != 0; }
  [[nodiscard]] bool holds_preferred_size() const { return preferred_ != 0; }
  [[nodiscard]] std::size_t size() const { return take_.size(); }
  [[nodiscard]] std::vector<Position> take_all() { return std::move(take_); }
  [[nodiscard]] std::vector<Position> take_preferred() {
    take_.resize(preferred_);
    return std::move(take_);
  }

 private:
  void join(const Waiting& other, Position at) {
    take_.push_back(at);
    rows_ += other.rows;
    cost_.add(other.rows, other.length);
    oldest_ = std::min(oldest_, other.enqueued);
    const auto& sizes = limits_.preferred_sizes;
    if (std::find(sizes.begin(), sizes.end(), rows_) != sizes.end()) preferred_ = take_.size();
  }

  const BatchLimits& limits_;
  const Waiting& leader_;
  std::vector<Position> take_;
  std::size_t rows_ = 0;
  std::size_t preferred_ = 0;  // members up to the largest preferred size that was met
  TimePoint oldest_ = kNoDeadline;
  PaddingCost cost_;
};

namespace {

// Calls visit(request, position) for all but the leader, its own level first, until it answers
// false.
template <typename Visit>
void visit_followers(QueueView queue, std::size_t leading, Visit visit) {
  for (std::size_t index = 1; index < queue[leading].waiting.size(); ++index) {
    if (!visit(queue[leading].waiting[index], Position{leading, index})) return;
  }
  for (std::size_t level = 0; level < queue.size(); ++level) {
    if (level == leading) continue;
    for (std::size_t index = 0; index < queue[level].waiting.size(); ++index) {
      if (!visit(queue[level].waiting[index], Position{level, index})) return;
    }
  }
}

std::size_t count_waiting(QueueView queue) {
  std::size_t count = 0;
  for (const Level& level : queue) count += level.waiting.size();
  return count;
}

}  // namespace

std::optional<std::size_t> leading_level(QueueView queue) {
  std::optional<std::size_t> leading;
  for (std::size_t level = 0; level < queue.size(); ++level) {
    if (queue[level].waiting.empty()) continue;
    if (!leading || queue[level].passed_over >= BatchPolicy::kPassedOverMax) leading = level;
  }
  return leading;
}

BatchPolicy::BatchPolicy(BatchLimits limits) : limits_(std::move(limits)) {
  CHECK(limits_.rows_max > 0, "a batch has room for a row");
}

BatchPlan BatchPolicy::next(QueueView queue, TimePoint now) const {
  const auto leading = leading_level(queue);
  if (!leading) return {};
  Draft draft(limits_, queue[*leading].waiting.front(), {*leading, 0});
  if (!draft.full()) grow(draft, queue);
  return close(draft, count_waiting(queue), now);
}

void BatchPolicy::grow(Draft& draft, QueueView queue) const {
  if (limits_.preserve_ordering) return grow_in_order(draft, queue);
  const std::size_t leading = *leading_level(queue);
  // With padding, first what fits closely, then whatever is cheap enough.
  for (const bool only_same_bucket : {true, false}) {
    visit_followers(queue, leading, [&](const Waiting& other, Position at) {
      if (draft.same_bucket(other) == only_same_bucket) draft.offer(other, at);
      return !draft.full();
    });
    if (!draft.pads() || draft.full()) return;
  }
}

void BatchPolicy::grow_in_order(Draft& draft, QueueView queue) const {
  visit_followers(queue, *leading_level(queue), [&](const Waiting& other, Position at) {
    return draft.offer(other, at);
  });
}

BatchPlan BatchPolicy::close(Draft& draft, std::size_t waiting, TimePoint now) const {
  const bool delays = limits_.queue_delay_max > Duration::zero();
  const bool overdue = delays && now >= draft.oldest() + limits_.queue_delay_max;
  if (draft.holds_preferred_size() && !overdue) return {draft.take_preferred(), now};
  const bool cannot_grow = draft.full() || draft.size() < waiting;
  if (!delays || overdue || cannot_grow) return {draft.take_all(), now};
  return {{}, draft.oldest() + limits_.queue_delay_max};
}

}  // namespace cortex::scheduler
