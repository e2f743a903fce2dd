// SPDX-License-Identifier: Apache-2.0
#include "scheduler/draft_policy.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;

TEST(DraftRecord, begins_with_a_guess_that_grows_with_what_was_alike) {
  const DraftRecord record;
  EXPECT_LT(record.chance(2), record.chance(3));
  EXPECT_LT(record.chance(3), record.chance(8));
  EXPECT_LT(record.chance(8), record.chance(16));
}

TEST(DraftRecord, follows_what_came_and_forgets_what_was_long_ago) {
  DraftRecord record;
  for (int i = 0; i < 20; ++i) record.learn(3, false);
  EXPECT_LT(record.chance(3), 0.1);
  EXPECT_EQ(record.chance(8), DraftRecord().chance(8)) << "of other lengths it says nothing";
  for (int i = 0; i < 60; ++i) record.learn(4, true);
  EXPECT_GT(record.chance(3), 0.8);
}

TEST(DraftRecord, what_is_believed_little_is_soon_outweighed) {
  DraftRecord record;
  for (int i = 0; i < 200; ++i) record.learn(16, true);
  record.believe_at_most(8);
  EXPECT_GT(record.chance(16), 0.9);
  for (int i = 0; i < 8; ++i) record.learn(16, false);
  EXPECT_LT(record.chance(16), 0.6);
}

class DraftPolicyTest : public ::testing::Test {
 protected:
  // A machine where a step costs `fixed` and each row `row`.
  void learn(int fixed, int row) {
    cost_ = StepCost();
    for (std::size_t i = 0; i < 300; ++i) {
      StepShape shape;
      shape.decode_rows = 1 + i % 7;
      cost_.learn(shape, microseconds(fixed + row * static_cast<int>(shape.decode_rows)));
    }
  }
  void add(std::vector<double> chances) {
    chances_.push_back(std::make_unique<std::vector<double>>(std::move(chances)));
    candidates_.push_back({100, *chances_.back()});
  }
  DraftPlan plan(bool probe = false) {
    DraftView view;
    view.candidates = candidates_;
    view.shape.decode_rows = candidates_.size();
    view.rows_max = rows_max_;
    view.probe = probe;
    return DraftPolicy().next(view, cost_);
  }

  StepCost cost_;
  std::vector<std::unique_ptr<std::vector<double>>> chances_;
  std::vector<DraftCandidate> candidates_;
  std::size_t rows_max_ = 64;
};

TEST_F(DraftPolicyTest, carries_a_likely_draft_where_rows_are_cheap) {
  learn(10'000, 500);
  add({0.9, 0.8, 0.7, 0.6});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{4}));
}

TEST_F(DraftPolicyTest, stops_where_a_row_costs_more_than_it_brings) {
  learn(10'000, 3'000);
  add({0.9, 0.7, 0.2, 0.1});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{2}));
}

TEST_F(DraftPolicyTest, carries_all_of_what_is_nearly_certain) {
  learn(6'000, 6'000);
  add({0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{8}));
}

TEST_F(DraftPolicyTest, carries_nothing_for_a_gain_of_a_few_percent) {
  learn(1'000, 9'000);
  add({0.99, 0.98, 0.97, 0.96});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{0})) << "four would bring a fifteenth";
}

TEST_F(DraftPolicyTest, carries_nothing_where_each_row_costs_its_full_time) {
  learn(0, 5'000);
  add({0.95, 0.9, 0.85});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{0}));
}

TEST_F(DraftPolicyTest, carries_nothing_that_is_unlikely_however_cheap) {
  learn(10'000, 1);
  add({0.05, 0.01});
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{0}));
}

TEST_F(DraftPolicyTest, carries_nothing_before_it_knows_what_steps_cost) {
  add({0.9, 0.9});
  EXPECT_EQ(plan(true).tokens, (std::vector<std::size_t>{0}));
}

TEST_F(DraftPolicyTest, takes_the_likeliest_tokens_of_all_first) {
  learn(20'000, 500);
  add({0.5, 0.2});
  add({0.9, 0.8});
  add({});
  rows_max_ = 3;
  EXPECT_EQ(plan().tokens, (std::vector<std::size_t>{1, 2, 0}));
}

TEST_F(DraftPolicyTest, makes_a_shared_step_at_most_an_eighth_longer) {
  learn(10'000, 500);
  for (int i = 0; i < 4; ++i) add(std::vector<double>(8, 0.99));
  const DraftPlan carried = plan();
  std::size_t rows = 0;
  for (const std::size_t tokens : carried.tokens) rows += tokens;
  EXPECT_GE(rows, 2u);
  EXPECT_LE(rows, 3u) << "500 of 12 000 each";
}

TEST_F(DraftPolicyTest, a_probe_carries_up_to_two_tokens_that_do_not_seem_to_pay) {
  learn(0, 5'000);
  add({0.9, 0.8, 0.7});
  const DraftPlan carried = plan(true);
  EXPECT_TRUE(carried.probe);
  EXPECT_EQ(carried.tokens, (std::vector<std::size_t>{2}));
  candidates_.clear();
  add({0.4, 0.2});
  EXPECT_EQ(plan(true).tokens, (std::vector<std::size_t>{1}));
  candidates_.clear();
  add({0.2, 0.1});
  EXPECT_EQ(plan(true).tokens, (std::vector<std::size_t>{0})) << "an unlikely one teaches dearly";
}

TEST_F(DraftPolicyTest, a_probe_is_none_where_drafts_pay) {
  learn(10'000, 500);
  add({0.9, 0.8});
  EXPECT_FALSE(plan(true).probe);
}

TEST(DraftProbes, come_ever_more_seldom_until_drafts_pay) {
  DraftProbes probes;
  EXPECT_TRUE(probes.due(0));
  probes.ran(0, true);
  EXPECT_FALSE(probes.due(100));
  EXPECT_TRUE(probes.due(128));
  for (std::uint64_t step = 1000; step < 9000; step += 1000) probes.ran(step, true);
  EXPECT_FALSE(probes.due(9000));
  EXPECT_TRUE(probes.due(9024));
  probes.ran(9024, false);
  EXPECT_TRUE(probes.due(9088));
}

}  // namespace
}  // namespace cortex::scheduler
