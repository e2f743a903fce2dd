// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_policy.h"

#include <gtest/gtest.h>

#include "scheduler/length_buckets.h"

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

const TimePoint kNow = TimePoint(std::chrono::hours(1));

Waiting one(std::uint64_t key = 0, std::uint32_t rows = 1, std::uint32_t length = 0) {
  Waiting waiting;
  waiting.enqueued = kNow;
  waiting.key = key;
  waiting.rows = rows;
  waiting.length = length;
  return waiting;
}

std::vector<Level> queue_of(std::deque<Waiting> first, std::deque<Waiting> second = {}) {
  return {Level{std::move(first)}, Level{std::move(second)}};
}

std::vector<std::size_t> indices(const BatchPlan& plan) {
  std::vector<std::size_t> out;
  for (const Position& at : plan.take) out.push_back(at.level * 100 + at.index);
  return out;
}

BatchLimits limits(
    std::size_t rows_max, microseconds delay = {}, std::vector<std::size_t> preferred = {}
) {
  return {rows_max, std::move(preferred), delay, false};
}

using Indices = std::vector<std::size_t>;

TEST(BatchPolicy, has_nothing_to_do_with_an_empty_queue) {
  const BatchPlan plan = BatchPolicy(limits(8)).next(queue_of({}), kNow);
  EXPECT_TRUE(plan.take.empty());
  EXPECT_EQ(plan.wait_until, kNoDeadline);
}

TEST(BatchPolicy, runs_what_is_there_without_a_delay) {
  const BatchPlan plan = BatchPolicy(limits(8)).next(queue_of({one(), one(), one()}), kNow);
  EXPECT_EQ(indices(plan), (Indices{0, 1, 2}));
}

TEST(BatchPolicy, counts_rows_not_requests) {
  const auto queue = queue_of({one(0, 3), one(0, 3), one(0, 3), one(0, 2)});
  EXPECT_EQ(indices(BatchPolicy(limits(8)).next(queue, kNow)), (Indices{0, 1, 3}));
}

TEST(BatchPolicy, runs_a_request_that_may_not_share_alone) {
  auto queue = queue_of({one(), one(), one()});
  queue[0].waiting[0].alone = true;
  EXPECT_EQ(indices(BatchPolicy(limits(8)).next(queue, kNow)), (Indices{0}));
  queue[0].waiting[0].alone = false;
  queue[0].waiting[1].alone = true;
  EXPECT_EQ(indices(BatchPolicy(limits(8)).next(queue, kNow)), (Indices{0, 2}));
}

TEST(BatchPolicy, batches_only_equal_keys) {
  const auto queue = queue_of({one(1), one(2), one(1), one(2)});
  EXPECT_EQ(indices(BatchPolicy(limits(8)).next(queue, kNow)), (Indices{0, 2}));
}

TEST(BatchPolicy, waits_for_more_until_the_delay_of_its_oldest_member) {
  const BatchPolicy policy(limits(8, milliseconds(2)));
  const auto queue = queue_of({one(), one()});
  EXPECT_EQ(policy.next(queue, kNow + milliseconds(1)).wait_until, kNow + milliseconds(2));
  EXPECT_TRUE(policy.next(queue, kNow + milliseconds(1)).take.empty());
  EXPECT_EQ(indices(policy.next(queue, kNow + milliseconds(2))), (Indices{0, 1}));
}

TEST(BatchPolicy, runs_before_the_delay_when_full) {
  const auto queue = queue_of({one(), one(), one()});
  EXPECT_EQ(indices(BatchPolicy(limits(2, milliseconds(2))).next(queue, kNow)), (Indices{0, 1}));
}

TEST(BatchPolicy, runs_before_the_delay_when_others_wait_that_do_not_fit) {
  const auto queue = queue_of({one(1), one(1), one(2)});
  EXPECT_EQ(indices(BatchPolicy(limits(8, milliseconds(2))).next(queue, kNow)), (Indices{0, 1}));
}

TEST(BatchPolicy, runs_a_preferred_size_at_once_and_the_largest_that_is_met) {
  const BatchPolicy policy(limits(8, milliseconds(2), {2, 4}));
  EXPECT_TRUE(policy.next(queue_of({one()}), kNow).take.empty());
  EXPECT_EQ(indices(policy.next(queue_of({one(), one(), one()}), kNow)), (Indices{0, 1}));
  EXPECT_EQ(
      indices(policy.next(queue_of({one(), one(), one(), one(), one()}), kNow)),
      (Indices{0, 1, 2, 3})
  );
}

TEST(BatchPolicy, takes_all_that_wait_once_the_delay_has_passed) {
  const BatchPolicy policy(limits(8, milliseconds(2), {2}));
  const auto queue = queue_of({one(), one(), one()});
  EXPECT_EQ(indices(policy.next(queue, kNow + milliseconds(3))), (Indices{0, 1, 2}));
}

TEST(BatchPolicy, serves_the_most_urgent_level_first_and_fills_up_from_the_others) {
  EXPECT_EQ(
      indices(BatchPolicy(limits(3)).next(queue_of({one()}, {one(), one(), one()}), kNow)),
      (Indices{0, 100, 101})
  );
  EXPECT_EQ(indices(BatchPolicy(limits(1)).next(queue_of({}, {one()}), kNow)), (Indices{100}));
}

TEST(BatchPolicy, lets_a_level_lead_that_was_passed_over_too_often) {
  auto queue = queue_of({one()}, {one()});
  queue[1].passed_over = BatchPolicy::kPassedOverMax - 1;
  EXPECT_EQ(indices(BatchPolicy(limits(1)).next(queue, kNow)), (Indices{0}));
  queue[1].passed_over = BatchPolicy::kPassedOverMax;
  EXPECT_EQ(indices(BatchPolicy(limits(1)).next(queue, kNow)), (Indices{100}));
}

TEST(BatchPolicy, leaves_no_gap_when_the_order_counts) {
  BatchLimits ordered = limits(8);
  ordered.preserve_ordering = true;
  const auto queue = queue_of({one(1), one(1), one(2), one(1)});
  EXPECT_EQ(indices(BatchPolicy(ordered).next(queue, kNow)), (Indices{0, 1}));
}

TEST(BatchPolicy, batches_lengths_around_the_oldest_within_the_padding_bound) {
  const auto queue =
      queue_of({one(0, 1, 100), one(0, 1, 20), one(0, 1, 104), one(0, 1, 98), one(0, 1, 250)});
  EXPECT_EQ(indices(BatchPolicy(limits(8)).next(queue, kNow)), (Indices{0, 2, 3}));
}

TEST(BatchPolicy, prefers_the_leaders_bucket_to_older_neighbours) {
  // 113 would fit with 100 as well, but the two of 100's own bucket (97 to 104) come first.
  const auto queue = queue_of({one(0, 1, 100), one(0, 1, 110), one(0, 1, 99), one(0, 1, 101)});
  EXPECT_EQ(indices(BatchPolicy(limits(3)).next(queue, kNow)), (Indices{0, 2, 3}));
}

TEST(BatchPolicy, bounds_the_padding_of_rows_as_long_as_the_leader_too) {
  const auto queue = queue_of({one(0, 1, 90), one(0, 8, 110), one(0, 4, 90)});
  EXPECT_EQ(indices(BatchPolicy(limits(12)).next(queue, kNow)), (Indices{0, 2}));
  const auto later = queue_of({one(0, 1, 90), one(0, 8, 100), one(0, 4, 90)});
  EXPECT_EQ(indices(BatchPolicy(limits(16)).next(later, kNow)), (Indices{0, 2, 1}));
}

TEST(LengthBuckets, hold_lengths_that_differ_by_less_than_an_eighth) {
  std::uint32_t shortest = 1;
  for (std::uint32_t length = 1; length < 5000; ++length) {
    const std::uint32_t top = length_bucket(length);
    ASSERT_GE(top, length);
    ASSERT_EQ(length_bucket(top), top);
    if (length_bucket(shortest) != top) shortest = length;
    ASSERT_LT((top - shortest) * 8, shortest) << length;
  }
}

TEST(PaddingCost, refuses_a_row_that_would_waste_more_than_an_eighth) {
  PaddingCost cost;
  cost.add(1, 80);
  EXPECT_TRUE(cost.accepts(1, 90));
  EXPECT_FALSE(cost.accepts(1, 120));
  EXPECT_FALSE(cost.accepts(8, 60));
  cost.add(1, 90);
  EXPECT_EQ(cost.padding(), 10u);
}

}  // namespace
}  // namespace cortex::scheduler
