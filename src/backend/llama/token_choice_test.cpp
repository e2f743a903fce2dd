// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/token_choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

std::vector<float> wave(std::size_t count) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = std::sin(static_cast<float>(i));
  return out;
}

TEST(TokenChoice, takes_the_largest_of_any_number_of_logits) {
  for (std::size_t count = 1; count < 70; ++count) {
    auto logits = wave(count);
    for (std::size_t at = 0; at < count; ++at) {
      const float before = std::exchange(logits[at], 2.0F);
      EXPECT_EQ(largest(logits, {}), static_cast<Token>(at));
      logits[at] = before;
    }
  }
}

TEST(TokenChoice, takes_the_first_of_equals_and_only_what_is_allowed) {
  const std::vector<float> logits = {1, 5, 5, 3};
  EXPECT_EQ(largest(logits, {}), 1);
  const std::vector<std::uint32_t> last_two = {0b1100};
  EXPECT_EQ(largest(logits, last_two), 2);
  const std::vector<std::uint32_t> none = {0};
  EXPECT_EQ(largest(logits, none), std::nullopt);
  const std::vector<std::uint32_t> beyond = {0xFFFF'FFF0};
  EXPECT_EQ(largest(logits, beyond), std::nullopt);
}

TEST(TokenChoice, numbers_that_are_none_are_not_taken) {
  const float nothing = -std::numeric_limits<float>::infinity();
  const float broken = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(largest(std::vector<float>{nothing, nothing}, {}), std::nullopt);
  EXPECT_EQ(largest(std::vector<float>{broken, broken}, {}), std::nullopt);
  EXPECT_EQ(largest(std::vector<float>{broken, -3, nothing}, {}), 1);
}

TEST(TokenChoice, one_that_is_no_number_is_seen_wherever_it_is) {
  const float infinite = std::numeric_limits<float>::infinity();
  for (std::size_t count = 1; count < 40; ++count) {
    auto logits = wave(count);
    logits[count / 2] = -infinite;
    EXPECT_FALSE(has_none(logits));
    for (std::size_t at = 0; at < count; ++at) {
      for (const float none : {infinite, std::numeric_limits<float>::quiet_NaN()}) {
        const float before = std::exchange(logits[at], none);
        EXPECT_TRUE(has_none(logits)) << at << " of " << count;
        logits[at] = before;
      }
    }
  }
  EXPECT_FALSE(has_none({}));
}

TEST(TokenChoice, probabilities_add_up_to_one) {
  auto logits = wave(1000);
  for (float& logit : logits) logit *= 40;
  const float log_sum = log_sum_exp(logits);
  const auto all = most_likely(logits, log_sum, logits.size());
  double sum = 0;
  for (const TokenLogprob& entry : all) sum += std::exp(static_cast<double>(entry.logprob));
  EXPECT_NEAR(sum, 1, 1e-4);
}

TEST(TokenChoice, powers_are_those_of_the_library) {
  for (float x = 0; x > -90; x -= 0.37F) {
    const std::vector<float> logits = {3, 3 + x};
    const double power = std::exp(static_cast<double>(logits[1]) - 3);
    EXPECT_NEAR(exp_sum(logits, 3), 1 + power, 3e-7 * power + 1e-15) << x;
  }
  const auto logits = wave(1003);
  double expected = 0;
  for (const float logit : logits) expected += std::exp(static_cast<double>(logit - 1));
  EXPECT_NEAR(exp_sum(logits, 1), expected, 1e-6 * expected);
}

TEST(TokenChoice, a_place_is_drawn_by_its_share) {
  std::vector<float> logits(700, -std::numeric_limits<float>::infinity());
  logits[20] = std::log(0.25F);
  logits[300] = std::log(0.5F);
  logits[699] = std::log(0.25F);
  const auto place = [&](double chance) { return drawn_place(logits, logits[300], 1, chance); };
  EXPECT_EQ(place(0), 20u);
  EXPECT_EQ(place(0.2499), 20u);
  EXPECT_EQ(place(0.2501), 300u);
  EXPECT_EQ(place(0.7499), 300u);
  EXPECT_EQ(place(0.7501), 699u);
  EXPECT_EQ(place(std::nextafter(1.0, 0.0)), 699u);
  EXPECT_EQ(drawn_place(logits, logits[300], 0.01F, 0.999), 300u) << "cold";
}

TEST(TokenChoice, finds_the_largest_of_many_as_a_sort_does) {
  auto logits = wave(2000);
  logits[77] = logits[1500] = 3;
  auto sorted = at_least(logits, -2);
  ASSERT_EQ(sorted.size(), logits.size());
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &PlacedLogit::logit);
  for (const std::size_t count : {1U, 2U, 40U, 256U, 257U, 1000U, 2000U, 5000U}) {
    const auto found = largest_of(logits, count);
    ASSERT_EQ(found.size(), std::min<std::size_t>(count, 2000)) << count;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].logit, sorted[i].logit) << count;
      EXPECT_EQ(found[i].place, sorted[i].place) << count;
    }
  }
}

TEST(TokenChoice, keeps_the_order_of_what_reaches_a_bound) {
  const std::vector<float> logits = {0, 3, 1, 3, 2};
  const auto found = at_least(logits, 2);
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].place, 1u);
  EXPECT_EQ(found[1].place, 3u);
  EXPECT_EQ(found[2].place, 4u);
}

TEST(TokenChoice, lists_the_most_likely_first) {
  const std::vector<float> logits = {0, 3, 1, 3, 2};
  const auto top = most_likely(logits, 0, 4);
  ASSERT_EQ(top.size(), 4u);
  EXPECT_EQ(top[0].token, 1);
  EXPECT_EQ(top[1].token, 3);
  EXPECT_EQ(top[2].token, 4);
  EXPECT_EQ(top[3].token, 2);
  EXPECT_TRUE(most_likely(logits, 0, 0).empty());
  EXPECT_EQ(most_likely(logits, 0, 99).size(), 5u);
}

}  // namespace
}  // namespace cortex::backend
