// SPDX-License-Identifier: Apache-2.0
// Properties of the batcher over random queues and random requests. rapidcheck prints the smallest
// counterexample and the seed that repeats it.
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "scheduler/batch_policy.h"
#include "scheduler/length_buckets.h"
#include "scheduler/padding.h"
#include "scheduler/tensor_lane.h"
#include "scheduler/testing/row_backend.h"
#include "scheduler/testing/waiter.h"

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;
using testing::row_config;
using testing::row_request;
using testing::RowBackend;
using testing::Waiter;

const TimePoint kNow = TimePoint(std::chrono::hours(1));

BatchLimits any_limits() {
  BatchLimits limits;
  limits.rows_max = *rc::gen::inRange<std::size_t>(1, 20);
  limits.preserve_ordering = *rc::gen::arbitrary<bool>();
  limits.queue_delay_max = microseconds(*rc::gen::element(0, 0, 500, 5000));
  for (const std::size_t size : {2u, 4u, 8u}) {
    if (size <= limits.rows_max && *rc::gen::arbitrary<bool>())
      limits.preferred_sizes.push_back(size);
  }
  return limits;
}

Waiting any_waiting(const BatchLimits& limits, bool pads) {
  Waiting waiting;
  waiting.enqueued = kNow - microseconds(*rc::gen::inRange(0, 10'000));
  waiting.rows =
      *rc::gen::inRange<std::uint32_t>(1, static_cast<std::uint32_t>(limits.rows_max) + 1);
  waiting.key = *rc::gen::inRange<std::uint64_t>(0, 3);
  waiting.length = pads ? *rc::gen::inRange<std::uint32_t>(1, 300) : 0;
  waiting.alone = *rc::gen::weightedElement<bool>({{9, false}, {1, true}});
  return waiting;
}

std::vector<Level> any_queue(const BatchLimits& limits) {
  const bool pads = *rc::gen::arbitrary<bool>();
  std::vector<Level> queue(*rc::gen::inRange<std::size_t>(1, 4));
  for (Level& level : queue) {
    const auto size = *rc::gen::inRange<std::size_t>(0, 30);
    for (std::size_t i = 0; i < size; ++i) level.waiting.push_back(any_waiting(limits, pads));
  }
  return queue;
}

const Waiting& at(const std::vector<Level>& queue, const Position& position) {
  return queue[position.level].waiting[position.index];
}

bool run_property(const char* what, const std::function<void()>& property) {
  return rc::check(what, property);
}

TEST(BatchPolicyProperty, batches_never_exceed_a_limit) {
  EXPECT_TRUE(run_property("rows, keys, lone requests and padding", [] {
    const BatchLimits limits = any_limits();
    const auto queue = any_queue(limits);
    const BatchPlan plan = BatchPolicy(limits).next(queue, kNow);
    std::size_t rows = 0;
    std::uint64_t real = 0;
    PaddingCost cost;
    for (const Position& position : plan.take) {
      const Waiting& waiting = at(queue, position);
      rows += waiting.rows;
      real += std::uint64_t{waiting.rows} * waiting.length;
      cost.add(waiting.rows, waiting.length);
      RC_ASSERT(waiting.key == at(queue, plan.take.front()).key);
      RC_ASSERT(!waiting.alone || plan.take.size() == 1);
    }
    RC_ASSERT(rows <= limits.rows_max);
    RC_ASSERT(cost.padding() * 8 <= real);
  }));
}

TEST(BatchPolicyProperty, takes_nothing_twice_and_always_its_levels_first) {
  EXPECT_TRUE(run_property("distinct positions that exist, the oldest leads", [] {
    const BatchLimits limits = any_limits();
    const auto queue = any_queue(limits);
    const BatchPlan plan = BatchPolicy(limits).next(queue, kNow);
    std::set<std::pair<std::size_t, std::size_t>> seen;
    for (const auto& [level, index] : plan.take) {
      RC_ASSERT(level < queue.size() && index < queue[level].waiting.size());
      RC_ASSERT(seen.emplace(level, index).second);
    }
    if (!plan.take.empty()) RC_ASSERT(plan.take.front().index == 0u);
  }));
}

TEST(BatchPolicyProperty, waits_only_with_a_delay_and_never_beyond_it) {
  EXPECT_TRUE(run_property("work conserving", [] {
    const BatchLimits limits = any_limits();
    const auto queue = any_queue(limits);
    const bool any = std::any_of(queue.begin(), queue.end(), [](const Level& level) {
      return !level.waiting.empty();
    });
    const BatchPolicy policy(limits);
    const BatchPlan plan = policy.next(queue, kNow);
    RC_ASSERT(any || plan.take.empty());
    if (!any || !plan.take.empty()) return;
    RC_ASSERT(limits.queue_delay_max > Duration::zero());
    RC_ASSERT(plan.wait_until > kNow && plan.wait_until <= kNow + limits.queue_delay_max);
    RC_ASSERT(!policy.next(queue, plan.wait_until).take.empty());
  }));
}

TEST(BatchPolicyProperty, keeps_the_order_of_a_level_when_asked_to) {
  EXPECT_TRUE(run_property("no gaps within a level", [] {
    BatchLimits limits = any_limits();
    limits.preserve_ordering = true;
    const auto queue = any_queue(limits);
    const BatchPlan plan = BatchPolicy(limits).next(queue, kNow);
    std::vector<std::size_t> next(queue.size(), 0);
    for (const auto& [level, index] : plan.take) RC_ASSERT(index == next[level]++);
  }));
}

TEST(BatchPolicyProperty, a_bounded_queue_is_served_in_as_many_batches_as_it_has_requests) {
  EXPECT_TRUE(run_property("nothing is left behind", [] {
    BatchLimits limits = any_limits();
    limits.queue_delay_max = {};
    auto queue = any_queue(limits);
    std::size_t waiting = 0;
    for (const Level& level : queue) waiting += level.waiting.size();
    for (std::size_t batches = waiting; waiting > 0; --batches) {
      RC_ASSERT(batches > 0u);
      auto take = BatchPolicy(limits).next(queue, kNow).take;
      RC_ASSERT(!take.empty());
      waiting -= take.size();
      std::sort(take.begin(), take.end(), [](const Position& a, const Position& b) {
        return a.index > b.index;
      });
      for (const auto& [level, index] : take) {
        queue[level].waiting.erase(
            queue[level].waiting.begin() + static_cast<std::ptrdiff_t>(index)
        );
      }
    }
  }));
}

// Alone = batched = padded.

std::vector<std::byte> bytes_of(const InferOutput& output) {
  std::vector<std::byte> all;
  for (const Tensor& tensor : output.outputs) {
    for (const std::int64_t dimension : tensor.shape)
      all.push_back(static_cast<std::byte>(dimension));
    all.insert(all.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return all;
}

TensorLaneOptions lane_options(const ModelConfig& config, std::size_t instances) {
  TensorLaneOptions options;
  options.identity = {"rows", "1"};
  options.config = config;
  options.instances = instances;
  options.run_inline = false;
  return options;
}

std::vector<std::vector<std::byte>> answers_of(
    const TensorLaneOptions& options, const std::vector<std::shared_ptr<Request>>& requests
) {
  auto backend = std::make_shared<RowBackend>();
  testing::Gate gate;
  backend->before = [&](const backend::TensorRun&, std::size_t) {
    gate.pass();
    return Status();
  };
  TensorLane lane(options, backend, steady_clock());
  std::vector<Waiter> waiters(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) waiters[i].submit(lane, requests[i]);
  gate.open();
  std::vector<std::vector<std::byte>> answers;
  for (Waiter& waiter : waiters) {
    RC_ASSERT(waiter.wait().ok());
    answers.push_back(bytes_of(waiter.output()));
  }
  RC_ASSERT(backend->rows_max() <= std::max<std::size_t>(options.config.max_batch_size, 1));
  return answers;
}

TEST(PaddingProperty, alone_is_batched_is_padded) {
  EXPECT_TRUE(run_property("the same bytes whoever the neighbours are", [] {
    std::vector<std::shared_ptr<Request>> requests;
    const auto count = *rc::gen::inRange<std::size_t>(1, 24);
    const auto longest = *rc::gen::element<std::size_t>(4, 20, 120);
    for (std::size_t i = 0; i < count; ++i) {
      const auto rows = *rc::gen::inRange<std::size_t>(1, 4);
      const auto length = *rc::gen::inRange<std::size_t>(1, longest);
      requests.push_back(row_request(rows, length, static_cast<std::int64_t>(i)));
    }
    ModelConfig config = row_config(8);
    const auto padded = answers_of(lane_options(config, 1 + count % 2), requests);
    config.batching.pad_lengths = false;
    const auto batched = answers_of(lane_options(config, 1), requests);
    config.batching.enabled = false;
    const auto alone = answers_of(lane_options(config, 1), requests);
    RC_ASSERT(padded == alone);
    RC_ASSERT(batched == alone);
  }));
}

}  // namespace
}  // namespace cortex::scheduler
