// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_cost.h"

#include <random>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;

// A machine with known costs, in microseconds.
struct Machine {
  double fixed = 9000;
  double decode_row = 4000;
  double prompt_row = 3000;
  double attended = 0.7;
  double switched = 11'000;

  [[nodiscard]] Duration takes(const StepShape& shape, double noise = 1) const {
    const double sum = fixed + decode_row * static_cast<double>(shape.decode_rows) +
                       prompt_row * static_cast<double>(shape.prompt_rows) +
                       attended * shape.attended + (shape.switched ? switched : 0);
    return duration_cast<Duration>(duration<double, std::micro>(sum * noise));
  }
};

StepShape shape_of(std::size_t decodes, std::size_t prompt, std::size_t position) {
  StepShape shape;
  shape.decode_rows = decodes;
  shape.prompt_rows = prompt;
  shape.attended = static_cast<double>(decodes * position) + attended_by(position, prompt);
  return shape;
}

double ratio(const StepCost& cost, const Machine& machine, const StepShape& shape) {
  return duration<double>(cost.estimate(shape)) / duration<double>(machine.takes(shape));
}

class StepCostTest : public ::testing::Test {
 protected:
  void learn(int steps, double noise = 0) {
    std::normal_distribution<double> spread(1, noise);
    for (int i = 0; i < steps; ++i) {
      const std::size_t chunk = random_() % 3 == 0 ? random_() % 256 : 0;
      StepShape shape = shape_of(1 + random_() % 8, chunk, random_() % 2000);
      shape.switched = random_() % 5 == 0;
      const double factor = noise > 0 ? std::max(0.5, spread(random_)) : 1;
      cost_.learn(shape, machine_.takes(shape, factor));
    }
  }
  void expect_close(double error) {
    for (const StepShape& shape :
         {shape_of(3, 0, 500), shape_of(1, 64, 0), shape_of(4, 32, 1500)}) {
      EXPECT_NEAR(ratio(cost_, machine_, shape), 1, error);
    }
  }

  std::mt19937_64 random_{5};
  Machine machine_;
  StepCost cost_;
};

TEST_F(StepCostTest, believes_the_first_step) {
  const StepShape shape = shape_of(0, 128, 0);
  cost_.learn(shape, machine_.takes(shape));
  EXPECT_NEAR(ratio(cost_, machine_, shape), 1, 0.01);
}

TEST_F(StepCostTest, learns_what_each_part_costs) {
  learn(200);
  expect_close(0.05);
  EXPECT_NEAR(duration<double>(cost_.of_switch()).count(), 0.011, 0.003);
}

TEST_F(StepCostTest, learns_from_noisy_steps) {
  learn(400, 0.15);
  expect_close(0.25);
}

TEST_F(StepCostTest, is_not_led_astray_by_a_step_that_took_fifty_times_as_long) {
  learn(200);
  const StepShape shape = shape_of(2, 0, 300);
  cost_.learn(shape, 50 * machine_.takes(shape));
  EXPECT_LT(ratio(cost_, machine_, shape_of(3, 16, 300)), 2.1);
  learn(30);
  expect_close(0.2);
}

TEST_F(StepCostTest, says_how_much_slower_the_last_steps_were) {
  learn(200);
  EXPECT_NEAR(cost_.slowness(), 1, 0.02);
  const StepShape shape = shape_of(2, 0, 300);
  for (int i = 0; i < 3; ++i) {
    const auto slow = duration_cast<Duration>(1.5 * cost_.estimate(shape));
    cost_.learn(shape, slow);
  }
  EXPECT_NEAR(cost_.slowness(), 1.45, 0.05);
  cost_.learn(shape, 50 * machine_.takes(shape));
  EXPECT_LE(cost_.slowness(), 2);
  learn(30);
  EXPECT_NEAR(cost_.slowness(), 1, 0.1);
}

TEST_F(StepCostTest, follows_a_machine_that_became_four_times_slower) {
  learn(200);
  for (double* part : {&machine_.fixed, &machine_.decode_row, &machine_.prompt_row}) *part *= 4;
  machine_.attended *= 4;
  learn(100);
  expect_close(0.25);
}

// The first guess was of dear prompts: of decodes it knows as little as before.
TEST_F(StepCostTest, learns_soon_that_rows_are_cheap_where_a_step_is_dear) {
  machine_ = {.fixed = 20'000, .decode_row = 500, .prompt_row = 500, .attended = 0.1};
  const auto learn_shape = [&](const StepShape& shape, int times) {
    for (int i = 0; i < times; ++i) cost_.learn(shape, machine_.takes(shape));
  };
  learn_shape(shape_of(0, 50, 0), 1);
  learn_shape(shape_of(1, 0, 60), 8);
  learn_shape(shape_of(2, 0, 60), 7);
  EXPECT_LT(ratio(cost_, machine_, shape_of(8, 0, 60)), 3);
  learn_shape(shape_of(8, 0, 60), 3);
  EXPECT_NEAR(ratio(cost_, machine_, shape_of(8, 0, 60)), 1, 0.1);
  EXPECT_NEAR(ratio(cost_, machine_, shape_of(1, 0, 60)), 1, 0.1);
}

TEST_F(StepCostTest, stays_sane_when_all_steps_are_alike) {
  const StepShape shape = shape_of(3, 0, 100);
  for (int i = 0; i < 2000; ++i) cost_.learn(shape, machine_.takes(shape));
  EXPECT_NEAR(ratio(cost_, machine_, shape), 1, 0.02);
  const double chunk = ratio(cost_, machine_, shape_of(3, 64, 100));
  EXPECT_GT(chunk, 0.1);
  EXPECT_LT(chunk, 10);
}

// Short steps on a busy machine: what they took says more of the machine than of them.
TEST_F(StepCostTest, never_thinks_a_part_dearer_than_the_steps_that_ran) {
  std::lognormal_distribution<double> noise(0, 1.2);
  Duration longest{};
  for (int i = 0; i < 20'000; ++i) {
    StepShape shape = shape_of(1 + random_() % 5, random_() % 4 == 0 ? 6 : 0, random_() % 20);
    shape.switched = random_() % 8 == 0;
    const Duration took =
        duration_cast<Duration>(duration<double, std::micro>(100 * noise(random_)));
    longest = std::max(longest, took);
    cost_.learn(shape, took);
    ASSERT_LT(cost_.of_switch(), 4 * longest) << "after " << i << " steps";
    ASSERT_LT(cost_.estimate(shape), 4 * longest) << "after " << i << " steps";
  }
}

}  // namespace
}  // namespace cortex::scheduler
