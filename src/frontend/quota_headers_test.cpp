// SPDX-License-Identifier: Apache-2.0
#include "frontend/quota_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Pair;

TEST(QuotaHeaders, durations_look_as_openai_writes_them) {
  EXPECT_EQ(duration_text(Duration(0)), "0s");
  EXPECT_EQ(duration_text(Duration(1)), "1ms");
  EXPECT_EQ(duration_text(milliseconds(120)), "120ms");
  EXPECT_EQ(duration_text(seconds(1)), "1s");
  EXPECT_EQ(duration_text(milliseconds(8'640)), "8.64s");
  EXPECT_EQ(duration_text(minutes(6)), "6m0s");
  EXPECT_EQ(duration_text(minutes(60) + milliseconds(1'050)), "1h0m1.05s");
}

TEST(QuotaHeaders, moments_are_rounded_up_to_seconds) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1'767'225'599'001), "2026-01-01T00:00:00Z");
}

TEST(QuotaHeaders, only_limits_that_are_there_are_told) {
  router::QuotaState state;
  Headers out;
  append_ratelimit_headers(state, out);
  append_anthropic_headers(state, 0, out);
  EXPECT_TRUE(out.empty());
  state.tokens = router::QuotaLevel{100, 40, seconds(36)};
  append_ratelimit_headers(state, out);
  append_anthropic_headers(state, 0, out);
  EXPECT_THAT(
      out,
      ElementsAre(
          Pair("x-ratelimit-limit-tokens", "100"),
          Pair("x-ratelimit-remaining-tokens", "40"),
          Pair("x-ratelimit-reset-tokens", "36s"),
          Pair("anthropic-ratelimit-tokens-limit", "100"),
          Pair("anthropic-ratelimit-tokens-remaining", "40"),
          Pair("anthropic-ratelimit-tokens-reset", "1970-01-01T00:00:36Z")
      )
  );
}

}  // namespace
}  // namespace cortex::frontend
