// SPDX-License-Identifier: Apache-2.0
// Properties of the batcher over random queues and random requests. rapidcheck prints the smallest
// counterexample and the seed that repeats it.
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "scheduler/batch_policy.h"
#include "scheduler/draft_policy.h"
#include "scheduler/length_buckets.h"
#include "scheduler/padding.h"
#include "scheduler/prompt_lookup.h"
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

TEST(SchedulerProperty, what_a_lookup_foretells_followed_a_text_alike) {
  EXPECT_TRUE(run_property("what a lookup foretells followed a text alike", [] {
    const auto letters = *rc::gen::inRange<Token>(1, 6);
    const auto text = *rc::gen::container<std::vector<Token>>(rc::gen::inRange<Token>(0, letters));
    PromptLookup lookup;
    for (std::size_t end = 0; end < text.size();) {
      end = std::min(text.size(), end + *rc::gen::inRange<std::size_t>(1, 8));
      const std::span<const Token> tokens(text.data(), end);
      const PromptLookup::Match match = lookup.find(tokens);
      if (match.length == 0) continue;
      RC_ASSERT(match.length >= 2U && match.length <= PromptLookup::kMatchedMax);
      RC_ASSERT(match.position < end && match.position >= match.length);
      const auto before = tokens.subspan(match.position - match.length, match.length);
      RC_ASSERT(std::equal(before.begin(), before.end(), tokens.last(match.length).begin()));
      const auto next = PromptLookup::follow(tokens, match, 5);
      RC_ASSERT(next.size() == 5U);
      for (std::size_t i = 0; i < 5 && match.position + i < end; ++i) {
        RC_ASSERT(next[i] == tokens[match.position + i]);
      }
    }
  }));
}

TEST(SchedulerProperty, drafts_keep_their_bounds_and_pay_by_what_was_measured) {
  EXPECT_TRUE(run_property("drafts keep their bounds and pay by what was measured", [] {
    const int fixed = *rc::gen::inRange(0, 20'000);
    const int row = *rc::gen::inRange(1, 10'000);
    StepCost cost;
    for (std::size_t i = 0; i < 100; ++i) {
      StepShape shape;
      shape.decode_rows = 1 + i % 9;
      cost.learn(shape, microseconds(fixed + row * static_cast<int>(shape.decode_rows)));
    }
    std::vector<std::vector<double>> chances(*rc::gen::inRange<std::size_t>(1, 8));
    std::vector<DraftCandidate> candidates;
    for (auto& of_one : chances) {
      double chance = 1;
      of_one.resize(*rc::gen::inRange<std::size_t>(0, 15));
      for (double& next : of_one) next = chance *= *rc::gen::inRange(0, 101) / 100.0;
      candidates.push_back({*rc::gen::inRange<std::size_t>(0, 1000), of_one});
    }
    DraftView view;
    view.candidates = candidates;
    view.shape.decode_rows = candidates.size();
    view.rows_max = *rc::gen::inRange<std::size_t>(0, 30);
    view.probe = *rc::gen::arbitrary<bool>();
    const DraftPlan plan = DraftPolicy().next(view, cost);
    RC_ASSERT(plan.tokens.size() == candidates.size());
    StepShape shape = view.shape;
    auto tokens = static_cast<double>(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      RC_ASSERT(plan.tokens[i] <= candidates[i].chances.size());
      for (std::size_t k = 0; k < plan.tokens[i]; ++k) tokens += candidates[i].chances[k];
      shape.attended += attended_by(candidates[i].position + 1, plan.tokens[i]);
      shape.decode_rows += plan.tokens[i];
    }
    RC_ASSERT(shape.decode_rows - candidates.size() <= view.rows_max);
    const auto seconds = [&](const StepShape& of) {
      return std::chrono::duration<double>(cost.estimate(of)).count();
    };
    if (plan.probe) {
      RC_ASSERT(shape.decode_rows <= candidates.size() + 2);
      return;
    }
    const double before = static_cast<double>(candidates.size()) / seconds(view.shape);
    RC_ASSERT(tokens / seconds(shape) >= before * 0.999);
    RC_ASSERT(candidates.size() == 1 || seconds(shape) <= 1.126 * seconds(view.shape));
  }));
}

}  // namespace
}  // namespace cortex::scheduler
