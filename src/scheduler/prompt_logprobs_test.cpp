// SPDX-License-Identifier: Apache-2.0
#include "scheduler/prompt_logprobs.h"

#include <cmath>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

TEST(PromptLogprobs, are_natural_and_of_the_whole_distribution) {
  const std::vector<float> logits = {0, std::log(2.0F), std::log(5.0F)};
  const SampledToken out = logprob_of(logits, 1, 2);
  EXPECT_EQ(out.token, 1);
  EXPECT_NEAR(out.logprob, std::log(2.0 / 8), 1e-5);
  ASSERT_EQ(out.top.size(), 2u);
  EXPECT_EQ(out.top[0].token, 2);
  EXPECT_NEAR(out.top[0].logprob, std::log(5.0 / 8), 1e-5);
  EXPECT_EQ(out.top[1].token, 1);
}

TEST(PromptLogprobs, name_no_more_alternatives_than_there_are_tokens) {
  const std::vector<float> logits = {1, 2};
  EXPECT_EQ(logprob_of(logits, 0, 20).top.size(), 2u);
  EXPECT_TRUE(logprob_of(logits, 0, 0).top.empty());
}

}  // namespace
}  // namespace cortex::scheduler
