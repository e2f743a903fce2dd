// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_pace.h"

#include <chrono>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

using std::chrono::milliseconds;

milliseconds rounded(Duration duration) { return std::chrono::round<milliseconds>(duration); }

LanePace pace_of_a_small_model() {
  LanePace pace;
  pace.read = 0.001;
  pace.read_share = 0.5;
  pace.answer = 0.4;
  pace.step = 0.02;
  return pace;
}

TEST(LanePaceTest, a_newcomer_with_a_place_waits_for_a_step_and_its_prompt) {
  EXPECT_EQ(rounded(first_token_in(pace_of_a_small_model(), 2, {}, 100)), milliseconds(220));
}

TEST(LanePaceTest, prompts_before_its_own_are_read_first) {
  LanePace pace = pace_of_a_small_model();
  pace.unread = 50;
  EXPECT_EQ(rounded(first_token_in(pace, 2, {1, 100}, 100)), milliseconds(20 + 300 + 200));
}

TEST(LanePaceTest, of_what_a_cache_spares_nothing_is_counted) {
  LanePace pace = pace_of_a_small_model();
  pace.computed_share = 0.1;
  EXPECT_EQ(rounded(first_token_in(pace, 2, {}, 100)), milliseconds(40));
}

TEST(LanePaceTest, beyond_the_places_answers_have_to_end) {
  const LanePace pace = pace_of_a_small_model();
  EXPECT_EQ(rounded(first_token_in(pace, 2, {1, 100}, 100)), milliseconds(20 + 200 + 200));
  EXPECT_EQ(rounded(first_token_in(pace, 2, {2, 200}, 100)), milliseconds(20 + 500 + 200));
  EXPECT_EQ(rounded(first_token_in(pace, 2, {4, 400}, 100)), milliseconds(20 + 1500 + 200));
}

TEST(LanePaceTest, a_queue_is_served_once_its_prompts_are_read_and_its_answers_drawn) {
  EXPECT_EQ(rounded(served_in(pace_of_a_small_model(), {3, 300})), milliseconds(300 + 1200));
}

TEST(LanePaceTest, says_nothing_before_it_knows_anything) {
  EXPECT_EQ(first_token_in({}, 0, {9, 900}, 100), Duration::zero());
  EXPECT_EQ(served_in({}, {9, 900}), Duration::zero());
}

}  // namespace
}  // namespace cortex::scheduler
