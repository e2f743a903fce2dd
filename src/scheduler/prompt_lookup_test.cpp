// SPDX-License-Identifier: Apache-2.0
#include "scheduler/prompt_lookup.h"

#include <string_view>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

std::vector<Token> tokens_of(std::string_view text) { return {text.begin(), text.end()}; }

std::string foretold(PromptLookup& lookup, std::string_view text, std::size_t count) {
  const auto tokens = tokens_of(text);
  const auto next = PromptLookup::follow(tokens, lookup.find(tokens), count);
  return {next.begin(), next.end()};
}

TEST(PromptLookup, foretells_what_followed_when_the_text_ended_like_this) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "the red fox sees the red", 4), " fox");
}

TEST(PromptLookup, knows_nothing_of_an_end_that_was_never_seen) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "", 4), "");
  EXPECT_EQ(foretold(lookup, "a", 4), "");
  EXPECT_EQ(foretold(lookup, "abcdefgh", 4), "");
}

TEST(PromptLookup, takes_two_tokens_where_three_were_never_seen) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "xab1 yab", 2), "1 ");
}

TEST(PromptLookup, takes_the_place_with_the_longest_text_alike) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "he said yes; we said no; he said", 4), " yes");
}

TEST(PromptLookup, takes_the_newest_of_places_that_are_alike) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "-abc1 -abc2 -abc", 1), "2");
}

TEST(PromptLookup, goes_round_with_a_text_that_repeats_itself) {
  PromptLookup lookup;
  EXPECT_EQ(foretold(lookup, "abcabc", 8), "abcabcab");
  PromptLookup same;
  EXPECT_EQ(foretold(same, "aaaa", 3), "aaa");
}

TEST(PromptLookup, says_how_much_was_alike) {
  PromptLookup lookup;
  const auto tokens = tokens_of("..12345x__12345");
  const PromptLookup::Match match = lookup.find(tokens);
  EXPECT_EQ(match.position, 7u);
  EXPECT_EQ(match.length, 5u);
  PromptLookup round;
  EXPECT_EQ(round.find(std::vector<Token>(100, 7)).length, PromptLookup::kMatchedMax);
}

TEST(PromptLookup, foretells_the_same_whether_it_saw_the_text_at_once_or_token_by_token) {
  std::string text;
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < 3000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    text.push_back(static_cast<char>('a' + (state >> 40U) % 4));
  }
  PromptLookup step_by_step;
  for (std::size_t end = 1; end < text.size(); end += 1 + end % 3) {
    const std::string_view until = std::string_view(text).substr(0, end);
    PromptLookup at_once;
    const auto tokens = tokens_of(until);
    const PromptLookup::Match match = step_by_step.find(tokens);
    const PromptLookup::Match other = at_once.find(tokens);
    ASSERT_EQ(match.position, other.position) << end;
    ASSERT_EQ(match.length, other.length) << end;
  }
}

TEST(PromptLookup, keeps_the_newest_of_a_text_longer_than_it_holds) {
  std::vector<Token> tokens;
  for (Token i = 0; i < 300'000; ++i) tokens.push_back(i);
  tokens.insert(tokens.end(), {299'990, 299'991, 299'992});
  PromptLookup lookup;
  const PromptLookup::Match match = lookup.find(tokens);
  ASSERT_EQ(match.length, 3u);
  EXPECT_EQ(PromptLookup::follow(tokens, match, 2), (std::vector<Token>{299'993, 299'994}));
}

}  // namespace
}  // namespace cortex::scheduler
