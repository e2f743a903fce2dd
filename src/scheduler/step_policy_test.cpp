// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_policy.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;

StepShape rows_shape(std::size_t decodes, std::size_t prompt) {
  StepShape shape;
  shape.decode_rows = decodes;
  shape.prompt_rows = prompt;
  return shape;
}

class StepPolicyTest : public ::testing::Test {
 protected:
  // A machine where a step costs `fixed` and each row `row`.
  void learn(int fixed, int row) {
    cost_ = StepCost();
    for (std::size_t i = 0; i < 300; ++i) {
      const StepShape shape = rows_shape(1 + i % 7, i % 3 == 0 ? 1 + i % 100 : 0);
      const auto rows = static_cast<int>(shape.decode_rows + shape.prompt_rows);
      cost_.learn(shape, microseconds(fixed + row * rows));
    }
  }
  StepPlan plan(microseconds interval = microseconds(0)) {
    StepView view;
    view.decoders = decoders_;
    view.readers = readers_;
    view.weights = weights_;
    view.rows_max = rows_max_;
    return StepPolicy(interval).next(view, cost_);
  }
  [[nodiscard]] static std::size_t chunk_tokens(const StepPlan& plan) {
    std::size_t sum = 0;
    for (const StepPlan::Chunk& chunk : plan.chunks) sum += chunk.tokens;
    return sum;
  }
  // How much longer the step takes than its decodes alone.
  [[nodiscard]] double stretch(const StepPlan& plan) const {
    const StepShape quiet = rows_shape(plan.shape.decode_rows, 0);
    return std::chrono::duration<double>(cost_.estimate(plan.shape)) /
           std::chrono::duration<double>(cost_.estimate(quiet));
  }

  StepCost cost_;
  std::vector<StepDecoder> decoders_;
  std::vector<StepReader> readers_;
  std::vector<double> weights_;
  std::size_t rows_max_ = 512;
};

TEST_F(StepPolicyTest, fills_the_step_with_prompts_where_nobody_decodes) {
  readers_ = {{0, 400, 0, 0}, {0, 400, 0, 0}};
  const StepPlan next = plan();
  EXPECT_EQ(next.chunks, (std::vector<StepPlan::Chunk>{{0, 400}, {1, 112}}));
}

TEST_F(StepPolicyTest, decodes_everybody_of_one_flow) {
  decoders_.assign(20, {10, 0});
  EXPECT_EQ(plan().decoders.size(), 20u);
}

TEST_F(StepPolicyTest, gives_a_prompt_the_time_that_streams_can_spare) {
  learn(10'000, 1000);
  decoders_.assign(3, {0, 0});
  readers_ = {{0, 4000, 1, 0}};
  const StepPlan next = plan();
  EXPECT_EQ(next.decoders.size(), 3u);
  EXPECT_GT(stretch(next), 1.67) << "the prompt gets at least 40 % of the time";
  EXPECT_LT(stretch(next), 2.5) << "streams keep at least 40 % of their rate";
}

TEST_F(StepPolicyTest, holds_the_owners_interval_within_both_bounds) {
  learn(10'000, 100);
  decoders_.assign(3, {0, 0});
  readers_ = {{0, 4000, 1, 0}};
  EXPECT_NEAR(stretch(plan(microseconds(1))), 1.67, 0.15);
  EXPECT_NEAR(stretch(plan(microseconds(20'600))), 2, 0.15);
  EXPECT_NEAR(stretch(plan(microseconds(10'000'000))), 2.5, 0.15);
}

TEST_F(StepPolicyTest, gives_prompts_less_while_steps_take_longer_than_estimated) {
  learn(10'000, 100);
  decoders_.assign(3, {0, 0});
  readers_ = {{0, 4000, 1, 0}};
  const std::size_t before = chunk_tokens(plan());
  const StepShape shape = rows_shape(3, before);
  const auto slow = std::chrono::duration_cast<Duration>(1.4 * cost_.estimate(shape));
  for (int i = 0; i < 3; ++i) cost_.learn(shape, slow);
  EXPECT_LT(chunk_tokens(plan()), before);
  EXPECT_GT(stretch(plan()), 1.6) << "but no less than their part";
}

TEST_F(StepPolicyTest, goes_on_with_the_next_prompt_where_time_is_left) {
  learn(10'000, 1000);
  decoders_.assign(3, {0, 0});
  readers_ = {{0, 4, 1, 0}, {0, 4000, 1, 0}};
  const StepPlan next = plan();
  ASSERT_EQ(next.chunks.size(), 2u);
  EXPECT_EQ(next.chunks[0].tokens, 4u);
}

TEST_F(StepPolicyTest, never_lets_a_prompt_stand_still) {
  learn(100, 10'000);
  decoders_.assign(1, {0, 0});
  readers_ = {{0, 4000, 0, 0}};
  EXPECT_GE(chunk_tokens(plan()), 1u);
}

TEST_F(StepPolicyTest, keeps_a_place_for_a_prompt_among_many_streams) {
  rows_max_ = 8;
  decoders_.assign(20, {0, 0});
  readers_ = {{0, 100, 0, 0}};
  const StepPlan next = plan();
  EXPECT_EQ(next.decoders.size(), 7u);
  EXPECT_EQ(chunk_tokens(next), 1u);
}

TEST_F(StepPolicyTest, respects_the_bound_of_a_chunk) {
  readers_ = {{0, 400, 0, 32}};
  EXPECT_EQ(chunk_tokens(plan()), 32u);
}

TEST_F(StepPolicyTest, shares_a_steps_time_among_flows_where_rows_are_dear) {
  learn(100, 10'000);
  decoders_.assign(15, {0, 0});
  decoders_.push_back({0, 1});
  const StepPlan next = plan();
  EXPECT_LE(next.decoders.size(), 3u) << "fifteen streams of one flow do not slow the other's";
  EXPECT_NE(std::find(next.decoders.begin(), next.decoders.end(), 15u), next.decoders.end());
}

TEST_F(StepPolicyTest, shares_a_steps_time_by_the_weights_of_flows) {
  learn(100, 10'000);
  decoders_.assign(8, {0, 0});
  decoders_.insert(decoders_.end(), 8, {0, 1});
  const auto rows_of_first = [](const StepPlan& plan) {
    return std::count_if(plan.decoders.begin(), plan.decoders.end(), [](std::size_t row) {
      return row < 8;
    });
  };
  EXPECT_EQ(plan().decoders.size(), 16u) << "both have the same to do";
  weights_ = {4, 1};
  const StepPlan weighed = plan();
  EXPECT_EQ(rows_of_first(weighed), 8) << "for its weight it has less to do";
  EXPECT_EQ(weighed.decoders.size(), 10u);
  weights_ = {0.01, 1};
  EXPECT_EQ(rows_of_first(plan()), 1) << "however light it is, it goes on";
  EXPECT_EQ(plan().decoders.size(), 8u) << "and the heavy one has the rest";
}

TEST_F(StepPolicyTest, takes_places_of_a_full_step_by_the_weights_of_flows) {
  rows_max_ = 8;
  decoders_.assign(20, {0, 0});
  decoders_.insert(decoders_.end(), 20, {0, 1});
  learn(50'000, 10);
  weights_ = {3, 1};
  const StepPlan next = plan();
  EXPECT_EQ(next.decoders.size(), 8u);
  EXPECT_EQ(
      std::count_if(
          next.decoders.begin(), next.decoders.end(), [](std::size_t row) { return row < 20; }
      ),
      6
  );
}

TEST_F(StepPolicyTest, takes_the_prompts_of_a_heavy_flow_from_its_own_larger_share) {
  learn(100, 1'000);
  decoders_.assign(4, {0, 0});
  decoders_.insert(decoders_.end(), 4, {0, 1});
  readers_ = {{0, 400, 0, 0}};
  const std::size_t equal = chunk_tokens(plan());
  weights_ = {3, 1};
  EXPECT_GT(chunk_tokens(plan()), 0u);
  EXPECT_GE(chunk_tokens(plan()), equal);
}

TEST_F(StepPolicyTest, lets_a_heavy_flow_with_one_stream_read_for_its_weight) {
  learn(100, 1'000);
  decoders_ = {{0, 0}, {0, 1}, {0, 2}};
  readers_ = {{0, 400, 0, 0}};
  weights_ = {3, 1, 1};
  EXPECT_EQ(chunk_tokens(plan()), 2u) << "three rows for it, one for each of the others";
  weights_ = {30, 1, 1};
  EXPECT_GT(chunk_tokens(plan()), 2u);
  EXPECT_LE(stretch(plan()), 2.15) << "however heavy it is, the others' streams flow";
}

TEST_F(StepPolicyTest, takes_no_prompt_from_its_flows_share_where_all_flows_read) {
  learn(100, 1'000);
  decoders_.assign(4, {0, 0});
  decoders_.insert(decoders_.end(), 4, {0, 1});
  readers_ = {{0, 400, 0, 0}};
  const std::size_t from_own = chunk_tokens(plan());
  readers_.push_back({0, 400, 1, 0});
  EXPECT_GT(chunk_tokens(plan()), from_own);
  EXPECT_LE(stretch(plan()), 2.15);
}

TEST_F(StepPolicyTest, runs_all_flows_rows_where_rows_are_cheap) {
  learn(50'000, 10);
  decoders_.assign(15, {0, 0});
  decoders_.push_back({0, 1});
  EXPECT_EQ(plan().decoders.size(), 16u);
}

}  // namespace
}  // namespace cortex::scheduler
