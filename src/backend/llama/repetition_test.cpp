// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/repetition.h"

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

class RepetitionTest : public ::testing::Test {
 protected:
  // Logits of tokens 0 to 9 behind a text, which all begin at `logit`.
  std::vector<float> behind(const std::vector<Token>& text, float logit = 1) {
    auto breakers = std::make_shared<std::vector<bool>>(10);
    (*breakers)[9] = true;
    Repetition repetition(settings_, 100, breakers);
    for (const Token token : text) repetition.accept(token);
    std::vector<float> out(10, logit);
    if (repetition.active()) {
      repetition.apply([&](Token token) { return &out[static_cast<std::size_t>(token)]; });
    }
    return out;
  }

  SamplingSettings settings_;
};

TEST_F(RepetitionTest, without_settings_nothing_is_remembered) {
  EXPECT_FALSE(Repetition(settings_, 100, nullptr).active());
  EXPECT_EQ(behind({1, 1, 1}), std::vector<float>(10, 1));
}

TEST_F(RepetitionTest, a_repeated_token_loses_whatever_its_sign) {
  settings_.repeat_penalty = 2;
  EXPECT_FLOAT_EQ(behind({3})[3], 0.5F);
  EXPECT_FLOAT_EQ(behind({3})[4], 1);
  EXPECT_FLOAT_EQ(behind({3}, -1)[3], -2);
}

TEST_F(RepetitionTest, repeat_looks_back_as_far_as_it_was_told) {
  settings_.repeat_penalty = 2;
  settings_.penalty_last = 2;
  const auto logits = behind({3, 4, 5});
  EXPECT_FLOAT_EQ(logits[3], 1);
  EXPECT_FLOAT_EQ(logits[4], 0.5F);
  EXPECT_FLOAT_EQ(logits[5], 0.5F);
  settings_.penalty_last = -1;
  EXPECT_FLOAT_EQ(behind({3, 4, 5})[3], 0.5F);
}

TEST_F(RepetitionTest, frequency_and_presence_count_the_whole_text) {
  settings_.frequency_penalty = 0.5F;
  settings_.presence_penalty = 0.25F;
  settings_.penalty_last = 1;
  const auto logits = behind({3, 3, 4});
  EXPECT_FLOAT_EQ(logits[3], 1 - 1 - 0.25F);
  EXPECT_FLOAT_EQ(logits[4], 1 - 0.5F - 0.25F);
  EXPECT_FLOAT_EQ(logits[5], 1);
}

TEST_F(RepetitionTest, dry_takes_more_the_longer_a_repetition_is) {
  settings_.dry_multiplier = 1;
  settings_.dry_base = 2;
  // "1 2" came before, and 3 behind it.
  EXPECT_FLOAT_EQ(behind({1, 2, 3, 1, 2})[3], 1 - 1);
  // "0 1 2" came before.
  EXPECT_FLOAT_EQ(behind({0, 1, 2, 3, 0, 1, 2})[3], 1 - 2);
  EXPECT_FLOAT_EQ(behind({1, 2, 3, 4, 2})[3], 1);  // one token alone is allowed
  EXPECT_FLOAT_EQ(behind({1, 2, 3, 1, 2})[4], 1);
}

TEST_F(RepetitionTest, dry_begins_anew_at_a_breaker) {
  settings_.dry_multiplier = 1;
  settings_.dry_base = 2;
  EXPECT_FLOAT_EQ(behind({1, 9, 2, 3, 1, 9, 2})[3], 1);
  EXPECT_FLOAT_EQ(behind({9, 1, 2, 3, 9, 1, 2})[3], 1 - 1);
  EXPECT_FLOAT_EQ(behind({1, 2, 9, 5, 1, 2})[9], 1);  // a breaker itself loses nothing
}

TEST_F(RepetitionTest, dry_begins_anew_at_the_breakers_of_the_request) {
  settings_.dry_multiplier = 1;
  settings_.dry_base = 2;
  const std::vector<std::string> pieces = {"o", "a", "b", "c", "US", "ER", ":", "x|y", "d", "\n"};
  const auto loss = [&](std::vector<std::string> breakers, const std::vector<Token>& text, Token of
                    ) {
    settings_.dry_breakers = std::move(breakers);
    Repetition repetition(settings_, 100, nullptr, [&](Token token) {
      return pieces[static_cast<std::size_t>(token)];
    });
    for (const Token token : text) repetition.accept(token);
    std::vector<float> out(pieces.size(), 0);
    repetition.apply([&](Token token) { return &out[static_cast<std::size_t>(token)]; });
    return -out[static_cast<std::size_t>(of)];
  };
  EXPECT_FLOAT_EQ(loss({"|"}, {1, 9, 2, 3, 1, 9, 2}, 3), 2) << "what other requests break at";
  EXPECT_FLOAT_EQ(loss({"|"}, {1, 7, 2, 3, 1, 7, 2}, 3), 0) << "within a token";
  EXPECT_FLOAT_EQ(loss({"|"}, {1, 2, 7, 5, 1, 2}, 7), 0) << "a breaker itself loses nothing";
  // Of several tokens: it ends in the last of them, and a part of it is none.
  EXPECT_FLOAT_EQ(loss({"USER:"}, {4, 5, 6, 2, 3, 4, 5, 6, 2}, 3), 0);
  EXPECT_FLOAT_EQ(loss({"USER:"}, {4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2}, 3), 1);
  EXPECT_FLOAT_EQ(loss({"USER:"}, {4, 5, 1, 2, 3, 4, 5, 1, 2}, 3), 4);
}

TEST_F(RepetitionTest, dry_finds_repetitions_that_overlap_themselves) {
  settings_.dry_multiplier = 1;
  settings_.dry_base = 2;
  // Seven of one kind: the last six were there before the seventh.
  EXPECT_FLOAT_EQ(behind({1, 1, 1, 1, 1, 1, 1})[1], 1 - 16);
}

// The counting as its definition says it, which is quadratic.
TEST_F(RepetitionTest, dry_counts_like_a_naive_search) {
  settings_.dry_multiplier = 1;
  settings_.dry_base = 1.5F;
  std::uint32_t state = 1;
  for (int round = 0; round < 200; ++round) {
    std::vector<Token> text;
    for (int i = 0; i < 24; ++i) {
      state = state * 1664525 + 1013904223;
      text.push_back(static_cast<Token>((state >> 24) % 3));
    }
    std::map<Token, std::size_t> longest;
    for (std::size_t end = 1; end < text.size(); ++end) {  // text[…end) against the whole
      std::size_t length = 0;
      while (length < end && text[end - 1 - length] == text[text.size() - 1 - length]) ++length;
      longest[text[end]] = std::max(longest[text[end]], length);
    }
    const auto logits = behind(text, 0);
    for (const auto& [token, length] : longest) {
      const float expected = length < 2 ? 0 : -std::pow(1.5F, static_cast<float>(length - 2));
      EXPECT_FLOAT_EQ(logits[static_cast<std::size_t>(token)], expected) << round;
    }
  }
}

}  // namespace
}  // namespace cortex::backend
