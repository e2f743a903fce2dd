// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_core.h"

#include <algorithm>
#include <utility>

namespace cortex::scheduler {
namespace {

constexpr std::chrono::milliseconds kRetryMin{10};
constexpr std::chrono::milliseconds kRetryMax{30'000};
// Before the first run is measured.
constexpr std::chrono::milliseconds kRetryUnknown{100};

BatchLimits limits_of(const LaneCoreOptions& options) {
  BatchLimits limits;
  limits.rows_max = std::max<std::size_t>(options.rows_max, 1);
  limits.preserve_ordering = options.batching.preserve_ordering;
  if (limits.rows_max == 1) return limits;
  limits.queue_delay_max = options.batching.queue_delay_max;
  for (const std::size_t size : options.batching.preferred_sizes) {
    if (size > 1 && size <= limits.rows_max) limits.preferred_sizes.push_back(size);
  }
  return limits;
}

std::size_t wake_rows_of(const BatchLimits& limits) {
  std::size_t rows = limits.rows_max;
  for (const std::size_t size : limits.preferred_sizes) rows = std::min(rows, size);
  return rows;
}

// A queue delay or an order of answers is the owner's wish; inline runs would go around it.
bool may_run_inline(const LaneCoreOptions& options) {
  return options.run_inline && !options.batching.preserve_ordering &&
         options.batching.queue_delay_max == Duration::zero();
}

TimePoint after(TimePoint now, Duration wait) {
  return wait >= kNoDeadline - now ? kNoDeadline : now + wait;
}

Status expired() { return deadline_exceeded("Request timeout expired"); }
Status left() { return cancelled("the client left"); }

}  // namespace

LaneCore::LaneCore(LaneCoreOptions options, LaneProbe& probe)
    : options_(std::move(options)),
      policy_(limits_of(options_)),
      wake_rows_(wake_rows_of(policy_.limits())),
      probe_(probe),
      levels_(std::max<std::size_t>(options_.batching.priority_levels, 1)),
      inline_policy_(may_run_inline(options_)) {}

LaneCore::Admission LaneCore::add(Waiting& waiting, TimePoint now, std::vector<Ending>& endings) {
  if (draining_) {
    LaneProbe::add(probe_.rejected_closed);
    return {unavailable("model '" + options_.model + "' is being unloaded")};
  }
  const std::size_t level = level_of(*waiting.request);
  // A sweep may change who leads, so whoever sleeps has to look again.
  const bool sweeps = now >= next_event_ || !refuse_if_full(level).ok();
  if (sweeps) sweep(now, endings);
  if (Status full = refuse_if_full(level); !full.ok()) {
    LaneProbe::add(probe_.rejected_full);
    return {std::move(full), sweeps};
  }
  set_times(waiting, queue_policy(level), now);
  if (waiting.expires <= now) {
    LaneProbe::add(probe_.expired);
    return {expired(), sweeps};
  }
  const bool wake = sweeps || changes_the_plan(waiting);
  next_event_ = std::min({next_event_, waiting.expires, waiting.delays});
  ++waiting_;
  waiting_rows_ += waiting.rows;
  levels_[level].waiting.push_back(std::move(waiting));
  LaneProbe::add(probe_.accepted);
  LaneProbe::set(probe_.queue_length, waiting_);
  return {{}, wake && running_ < options_.instances};
}

bool LaneCore::start_inline(
    Waiting& waiting, std::size_t input_bytes, TimePoint now, Batch& batch
) {
  const InlineView view{waiting_, running_, options_.instances, input_bytes};
  if (draining_ || !inline_policy_.allows(view)) return false;
  if (waiting.request->deadline <= now || waiting.stream->cancelled()) return false;
  waiting.enqueued = now;
  LaneProbe::add(probe_.accepted);
  LaneProbe::add(probe_.inline_runs);
  join(std::move(waiting), now, batch);
  start(batch, now);
  return true;
}

LaneCore::Step LaneCore::next(TimePoint now, Batch& batch, std::vector<Ending>& endings) {
  if (now >= next_event_) sweep(now, endings);
  if (running_ >= options_.instances) return {};
  while (true) {
    const BatchPlan plan = policy_.next(levels_, now);
    if (plan.take.empty()) {
      next_look_ = std::min(plan.wait_until, next_event_);
      return {false, false, next_look_};
    }
    // What was dropped may have been what made this batch worth running.
    if (drop_cancelled(plan, now, endings)) continue;
    take(plan, now, batch);
    return {true, waiting_ > 0 && running_ < options_.instances, now};
  }
}

bool LaneCore::done(std::size_t members, Duration compute) {
  CHECK(running_ > 0, "a batch ends that was never started");
  --running_;
  LaneProbe::set(probe_.running, running_);
  const Duration each = compute / static_cast<Duration::rep>(std::max<std::size_t>(members, 1));
  mean_service_ =
      mean_service_ == Duration::zero() ? each : mean_service_ + (each - mean_service_) / 8;
  inline_policy_.observe(each);
  return waiting_ > 0;
}

void LaneCore::close(std::vector<Ending>& endings) {
  draining_ = true;
  for (Level& level : levels_) {
    for (Waiting& waiting : level.waiting) {
      LaneProbe::add(probe_.rejected_closed);
      endings.push_back(
          {std::move(waiting.stream), unavailable("model '" + options_.model + "' was unloaded"), {}
          }
      );
    }
    level.waiting.clear();
  }
  waiting_ = waiting_rows_ = 0;
  LaneProbe::set(probe_.queue_length, 0);
}

std::chrono::milliseconds LaneCore::drained_in() const {
  if (mean_service_ == Duration::zero()) return kRetryUnknown;
  const auto lined_up = static_cast<Duration::rep>(waiting_ / options_.instances + 1);
  const auto estimate = std::chrono::ceil<std::chrono::milliseconds>(mean_service_ * lined_up);
  return std::clamp(estimate, kRetryMin, kRetryMax);
}

std::size_t LaneCore::level_of(const Request& request) const {
  if (options_.batching.priority_levels == 0) return 0;
  // A priority the model does not know means its default one, as Triton has it.
  std::uint64_t priority = request.priority;
  if (priority == 0 || priority > levels_.size()) priority = options_.batching.default_priority;
  if (priority == 0 || priority > levels_.size()) priority = levels_.size();
  return static_cast<std::size_t>(priority - 1);
}

const QueuePolicy& LaneCore::queue_policy(std::size_t level) const {
  const auto& policies = options_.batching.policies;
  const auto found = policies.find(static_cast<std::uint32_t>(level + 1));
  return found == policies.end() ? options_.batching.default_policy : found->second;
}

Status LaneCore::refuse_if_full(std::size_t level) const {
  const std::size_t level_max = queue_policy(level).queue_size_max;
  const bool level_full = level_max > 0 && levels_[level].waiting.size() >= level_max;
  if (!level_full && waiting_ < options_.queue_size_max) return {};
  const std::size_t limit = level_full ? level_max : options_.queue_size_max;
  return resource_exhausted(
             "Exceeds maximum queue size: " + std::to_string(limit) + " requests wait for model '" +
             options_.model + "' (" +
             (level_full ? "max_queue_size of its queue policy" : "the bound of its queue") + ")"
  )
      .with_retry_after(drained_in());
}

void LaneCore::set_times(Waiting& waiting, const QueuePolicy& policy, TimePoint now) const {
  waiting.enqueued = now;
  waiting.expires = waiting.request->deadline;
  waiting.delays = kNoDeadline;
  std::chrono::microseconds timeout = policy.timeout;
  const auto own = waiting.request->queue_timeout;
  if (policy.allow_timeout_override && own.count() > 0 && (timeout.count() == 0 || own < timeout)) {
    timeout = own;
  }
  if (timeout.count() <= 0) return;
  if (policy.delay_on_timeout) {
    waiting.delays = after(now, timeout);
  } else {
    waiting.expires = std::min(waiting.expires, after(now, timeout));
  }
}

// While a batch waits for its delay, a request that neither fills it nor brings an earlier moment
// wakes nobody.
bool LaneCore::changes_the_plan(const Waiting& waiting) const {
  if (policy_.limits().queue_delay_max == Duration::zero() || waiting_ == 0) return true;
  if (waiting_rows_ + waiting.rows >= wake_rows_ || waiting.alone) return true;
  if (std::min(waiting.expires, waiting.delays) < next_look_) return true;
  const auto leading = leading_level(levels_);
  const Waiting& leader = levels_[*leading].waiting.front();
  return waiting.key != leader.key || waiting.length != 0;
}

void LaneCore::drop(Waiting& waiting, Status status, TimePoint now, std::vector<Ending>& endings) {
  --waiting_;
  waiting_rows_ -= waiting.rows;
  LaneProbe::add(status.code() == Code::kCancelled ? probe_.cancelled : probe_.expired);
  Timings timings;
  timings.queue = now - waiting.enqueued;
  endings.push_back({std::move(waiting.stream), std::move(status), timings});
}

void LaneCore::sweep(TimePoint now, std::vector<Ending>& endings) {
  next_event_ = kNoDeadline;
  for (Level& level : levels_) sweep_level(level, now, endings);
  LaneProbe::set(probe_.queue_length, waiting_);
}

void LaneCore::sweep_level(Level& level, TimePoint now, std::vector<Ending>& endings) {
  std::deque<Waiting> delayed;
  for (Waiting& waiting : level.waiting) {
    if (waiting.stream->cancelled()) {
      drop(waiting, left(), now, endings);
    } else if (waiting.expires <= now) {
      drop(waiting, expired(), now, endings);
    } else if (waiting.delays <= now) {
      waiting.delays = kNoDeadline;
      next_event_ = std::min(next_event_, waiting.expires);
      delayed.push_back(std::move(waiting));
    } else {
      next_event_ = std::min({next_event_, waiting.expires, waiting.delays});
    }
  }
  std::erase_if(level.waiting, [](const Waiting& waiting) { return !waiting.stream; });
  std::move(delayed.begin(), delayed.end(), std::back_inserter(level.waiting));
}

bool LaneCore::drop_cancelled(const BatchPlan& plan, TimePoint now, std::vector<Ending>& endings) {
  std::size_t dropped = 0;
  for (const auto [level, index] : plan.take) {
    Waiting& waiting = levels_[level].waiting[index];
    if (!waiting.stream->cancelled()) continue;
    drop(waiting, left(), now, endings);
    ++dropped;
  }
  if (dropped > 0) remove_taken(dropped);
  return dropped > 0;
}

void LaneCore::take(const BatchPlan& plan, TimePoint now, Batch& batch) {
  count_passed_over(plan.take.front().level);
  for (const auto [level, index] : plan.take) {
    Waiting& waiting = levels_[level].waiting[index];
    --waiting_;
    waiting_rows_ -= waiting.rows;
    join(std::move(waiting), now, batch);
  }
  remove_taken(plan.take.size());
  start(batch, now);
}

void LaneCore::join(Waiting&& waiting, TimePoint now, Batch& batch) {
  batch.rows += waiting.rows;
  batch.length = std::max(batch.length, waiting.length);
  LaneProbe::add(probe_.queue_ns, now - waiting.enqueued);
  batch.members.push_back(std::move(waiting));
}

// A request that was moved out has left its stream pointer empty. Mostly these are the first ones.
void LaneCore::remove_taken(std::size_t count) {
  for (Level& level : levels_) {
    auto& queue = level.waiting;
    for (; !queue.empty() && !queue.front().stream; --count) queue.pop_front();
    if (count > 0) {
      count -= std::erase_if(queue, [](const Waiting& waiting) { return !waiting.stream; });
    }
  }
  LaneProbe::set(probe_.queue_length, waiting_);
}

// Counts up below the level that leads; a level above it keeps its count, so that it is next when
// its own is due.
void LaneCore::count_passed_over(std::size_t leading) {
  for (std::size_t level = leading; level < levels_.size(); ++level) {
    const bool waits = level != leading && !levels_[level].waiting.empty();
    levels_[level].passed_over = waits ? levels_[level].passed_over + 1 : 0;
  }
}

void LaneCore::start(Batch& batch, TimePoint now) {
  batch.closed = now;
  batch.number = batches_++;
  LaneProbe::set(probe_.running, ++running_);
}

}  // namespace cortex::scheduler
