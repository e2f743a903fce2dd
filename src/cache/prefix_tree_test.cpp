// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_tree.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "cache/testing/kv_memory.h"

namespace cortex::cache {
namespace {

using std::chrono::seconds;
using testing::KvMemory;

constexpr std::int32_t kHolderFirst = 100;

std::vector<Token> text_tokens(std::string_view text) { return {text.begin(), text.end()}; }

// A tree over a memory that does what the tree says.
class PrefixTreeTest : public ::testing::Test {
 protected:
  static PrefixTreeOptions options(std::int32_t holders) {
    PrefixTreeOptions out;
    out.holder_first = kHolderFirst;
    out.holders = holders;
    out.insert_tokens_min = 2;
    return out;
  }

  void make_tree(const PrefixTreeOptions& options) {
    tree_ = std::make_unique<PrefixTree>(options);
  }

  void apply(const std::vector<KvMove>& moves) { EXPECT_EQ(memory_.apply(moves), ""); }

  // Runs `text` as a lane would: what is there is taken, the rest computed and inserted.
  PrefixTree::Insertion run(
      std::int32_t runner, std::string_view text, const PrefixSpace& space = {}
  ) {
    const auto tokens = text_tokens(text);
    auto match = tree_->match(space, tokens, tokens.size(), runner, now_);
    apply(match.moves);
    matched_ = match.tokens;
    memory_.compute(runner, space, tokens, match.tokens);
    auto out = tree_->insert(space, tokens, runner, now_, std::move(match.pin));
    apply(out.moves);
    EXPECT_TRUE(memory_.holds(runner, space, tokens));
    return out;
  }

  // The same, and the runner leaves.
  std::size_t keep(std::string_view text, const PrefixSpace& space = {}) {
    const std::size_t out = run(0, text, space).tokens;
    memory_.clear(0);
    now_ += seconds(1);
    return out;
  }

  [[nodiscard]] std::size_t matching(std::string_view text, const PrefixSpace& space = {}) const {
    return tree_->matching(space, text_tokens(text));
  }

  TimePoint now_ = TimePoint(std::chrono::hours(1));
  KvMemory memory_{kHolderFirst};
  std::unique_ptr<PrefixTree> tree_ = std::make_unique<PrefixTree>(options(16));
  std::size_t matched_ = 0;
};

TEST_F(PrefixTreeTest, an_empty_tree_matches_nothing) {
  const auto match = tree_->match({}, text_tokens("hello"), 5, 0, now_);
  EXPECT_EQ(match.tokens, 0u);
  EXPECT_TRUE(match.moves.empty());
  EXPECT_EQ(match.pin, nullptr);
  EXPECT_EQ(tree_->cells(), 0u);
}

TEST_F(PrefixTreeTest, finds_the_longest_prefix_and_gives_its_cells) {
  EXPECT_EQ(keep("the quick fox"), 13u);
  EXPECT_EQ(matching("the quick dog"), 10u);
  EXPECT_EQ(matching("a dog"), 0u);
  const auto tokens = text_tokens("the quick dog");
  const auto match = tree_->match({}, tokens, tokens.size(), 3, now_);
  EXPECT_EQ(match.tokens, 10u);
  apply(match.moves);
  EXPECT_TRUE(memory_.holds(3, {}, std::span(tokens).first(10)));
  EXPECT_EQ(tree_->match({}, tokens, 4, 4, now_).tokens, 4u);
}

TEST_F(PrefixTreeTest, counts_a_prefix_once_however_many_share_it) {
  keep("system: be kind. user: hi");
  keep("system: be kind. user: yo");
  keep("system: be kind. bye");
  EXPECT_EQ(matched_, 17u);
  EXPECT_EQ(tree_->nodes(), 5u);
  EXPECT_EQ(tree_->cells(), 17u + 6u + 2u + 2u + 3u);
  EXPECT_EQ(memory_.cells(), tree_->cells());
  EXPECT_EQ(memory_.holders_used(), tree_->nodes());
  EXPECT_EQ(tree_->evictable(), tree_->cells());
}

TEST_F(PrefixTreeTest, lengthens_a_leaf_in_place) {
  auto inserted = run(0, "one two");
  for (const std::string_view text : {"one two three", "one two three four"}) {
    const auto tokens = text_tokens(text);
    memory_.compute(0, {}, tokens, inserted.tokens);
    inserted = tree_->insert({}, tokens, 0, now_, std::move(inserted.pin));
    apply(inserted.moves);
    EXPECT_EQ(inserted.tokens, tokens.size());
    EXPECT_EQ(inserted.moves.size(), 1u);
  }
  EXPECT_EQ(tree_->nodes(), 1u);
  EXPECT_EQ(tree_->evictable(), 0u);
}

TEST_F(PrefixTreeTest, what_two_computed_at_once_is_kept_once) {
  const auto tokens = text_tokens("both compute this");
  memory_.compute(0, {}, tokens, 0);
  memory_.compute(1, {}, tokens, 0);
  EXPECT_EQ(memory_.cells(), 34u);
  const auto first = tree_->insert({}, tokens, 0, now_);
  apply(first.moves);
  const auto second = tree_->insert({}, tokens, 1, now_);
  apply(second.moves);
  EXPECT_EQ(second.tokens, 17u);
  EXPECT_EQ(memory_.cells(), 17u);
  EXPECT_TRUE(memory_.holds(1, {}, tokens));
}

TEST_F(PrefixTreeTest, parts_spaces_that_differ_in_anything) {
  const PrefixSpace spaces[] = {
      {}, {"lora@1*1", "", ""}, {"", "tenant", ""}, {"", "", "salt"}, {"lora@1*0.5", "", ""}
  };
  for (const PrefixSpace& space : spaces) {
    keep("the same text", space);
    EXPECT_EQ(matched_, 0u);
  }
  for (const PrefixSpace& space : spaces) {
    keep("the same text", space);
    EXPECT_EQ(matched_, 13u);
  }
}

TEST_F(PrefixTreeTest, an_end_that_is_too_short_is_no_node) {
  keep("hello");
  EXPECT_EQ(keep("help"), 3u);
  EXPECT_EQ(tree_->nodes(), 1u);
  EXPECT_EQ(keep("helping"), 7u);
  EXPECT_EQ(tree_->nodes(), 3u);
}

TEST_F(PrefixTreeTest, evicts_no_more_than_it_was_asked_for_and_the_end_first) {
  keep("0123456789");
  apply(tree_->evict(4, now_));
  EXPECT_EQ(tree_->cells(), 6u);
  EXPECT_EQ(matching("0123456789"), 6u);
  EXPECT_EQ(memory_.cells(), 6u);
  apply(tree_->evict(100, now_));
  EXPECT_EQ(tree_->nodes(), 0u);
  EXPECT_EQ(memory_.cells(), 0u);
  EXPECT_EQ(tree_->holders_free(), 16u);
}

TEST_F(PrefixTreeTest, evicts_what_was_not_used_for_longest) {
  keep("aaaaaaaa");
  keep("bbbbbbbb");
  keep("aaaaaaaa");
  apply(tree_->evict(8, now_));
  EXPECT_EQ(matching("aaaaaaaa"), 8u);
  EXPECT_EQ(matching("bbbbbbbb"), 0u);
}

TEST_F(PrefixTreeTest, keeps_what_is_dear_longer_than_what_is_cheap) {
  auto dear = options(16);
  dear.attend_cost = 1;
  make_tree(dear);
  const std::string prefix(100, 'p');
  keep(prefix);
  keep(prefix + "left end");
  keep(prefix + "right end");
  keep("short one");
  now_ += seconds(10);
  apply(tree_->evict(9, now_));
  EXPECT_EQ(matching("short one"), 0u);
  EXPECT_EQ(matching(prefix + "left end"), 108u);
  now_ += seconds(100'000);
  keep("short one");
  apply(tree_->evict(8, now_));
  EXPECT_EQ(matching(prefix + "left end"), 100u);
  EXPECT_EQ(matching("short one"), 9u);
}

TEST_F(PrefixTreeTest, pinned_tokens_stay_and_what_lies_behind_them_goes) {
  keep("0123456789");
  const auto tokens = text_tokens("01234");
  auto match = tree_->match({}, tokens, tokens.size(), 1, now_);
  apply(match.moves);
  EXPECT_EQ(tree_->evictable(), 5u);
  apply(tree_->evict(100, now_));
  EXPECT_EQ(tree_->cells(), 5u);
  EXPECT_EQ(matching("0123456789"), 5u);
  match.pin.reset();
  EXPECT_EQ(tree_->evictable(), 5u);
  apply(tree_->evict(100, now_));
  EXPECT_EQ(tree_->cells(), 0u);
  EXPECT_EQ(memory_.cells(), 5u) << "the runner has them still";
}

TEST_F(PrefixTreeTest, a_split_leaves_each_pin_what_it_covers) {
  keep("0123456789");
  auto whole = tree_->match({}, text_tokens("0123456789"), 10, 1, now_);
  apply(whole.moves);
  auto inserted = run(2, "0123abcdef");
  EXPECT_EQ(tree_->nodes(), 3u);
  EXPECT_EQ(tree_->evictable(), 0u);
  whole.pin.reset();
  EXPECT_EQ(tree_->evictable(), 6u);
  inserted.pin.reset();
  EXPECT_EQ(tree_->evictable(), 16u);
}

TEST_F(PrefixTreeTest, takes_the_holder_of_the_least_valuable_leaf) {
  make_tree(options(2));
  keep("aaaa");
  keep("bbbb");
  EXPECT_EQ(keep("cccc"), 4u);
  EXPECT_EQ(matching("aaaa"), 0u);
  EXPECT_EQ(matching("bbbb"), 4u);
  EXPECT_EQ(memory_.cells(), 8u);
}

TEST_F(PrefixTreeTest, keeps_a_part_where_every_holder_is_pinned) {
  make_tree(options(1));
  const auto first = run(0, "aaaabbbb");
  const auto second = run(1, "aaaacccc");
  EXPECT_EQ(second.tokens, 4u);
  EXPECT_EQ(tree_->cells(), 8u);
  const auto third = run(2, "dddd");
  EXPECT_EQ(third.tokens, 0u);
  EXPECT_EQ(third.pin, nullptr);
}

TEST_F(PrefixTreeTest, forgets_a_space_at_once_and_frees_what_was_pinned_later) {
  const PrefixSpace lora = {"lora@1*1", "", ""};
  keep("base text");
  keep("lora text", lora);
  auto running = run(1, "lora text and more", lora);
  keep("lora other", lora);
  apply(tree_->forget(lora));
  EXPECT_EQ(matching("lora text", lora), 0u);
  EXPECT_EQ(matching("base text"), 9u);
  EXPECT_EQ(tree_->cells(), 9u + 18u);
  EXPECT_EQ(tree_->evictable(), 9u);
  const auto more = text_tokens("lora text and more!!!");
  memory_.compute(1, lora, more, running.tokens);
  running = tree_->insert(lora, more, 1, now_, std::move(running.pin));
  EXPECT_EQ(running.tokens, 18u) << "the forgotten path does not grow";
  EXPECT_TRUE(running.moves.empty());
  running.pin.reset();
  apply(tree_->collect());
  EXPECT_EQ(tree_->cells(), 9u);
  EXPECT_EQ(tree_->nodes(), 1u);
  EXPECT_EQ(tree_->holders_free(), 15u);
  EXPECT_EQ(memory_.holders_used(), 1u);
}

TEST_F(PrefixTreeTest, gives_each_path_out_once_for_a_copy_the_least_valuable_first) {
  keep("system: left");
  keep("system: right");
  keep("short");
  const auto copied = [&](std::size_t tokens_min) {
    const auto copy = tree_->copy(tokens_min, now_);
    if (!copy) return std::string("none");
    apply(tree_->part(copy->pin, 0, copy->tokens.size(), 50));
    EXPECT_TRUE(memory_.holds(50, copy->space, copy->tokens));
    memory_.clear(50);
    return std::string(copy->tokens.begin(), copy->tokens.end());
  };
  EXPECT_EQ(copied(100), "none");
  EXPECT_EQ(copied(8), "system: left") << "with the fork on the way";
  EXPECT_EQ(copied(8), "system: right");
  EXPECT_EQ(copied(8), "none");
  keep("system: right and on it goes");
  EXPECT_EQ(copied(8), "system: right and on it goes");
  EXPECT_EQ(copied(1), "short");
  EXPECT_EQ(copied(1), "none");
}

TEST_F(PrefixTreeTest, keeps_a_path_that_is_copied_part_by_part) {
  keep("system: left");
  auto copy = tree_->copy(8, now_);
  ASSERT_TRUE(copy);
  keep("system: right");  // splits it
  EXPECT_LT(tree_->evictable(), tree_->cells());
  apply(tree_->evict(100, now_));
  for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 3}, {3, 10}, {10, 12}}) {
    apply(tree_->part(copy->pin, begin, end, 50));
  }
  EXPECT_TRUE(memory_.holds(50, copy->space, copy->tokens));
  memory_.clear(50);
  copy->pin.reset();
  EXPECT_EQ(tree_->evictable(), tree_->cells());
}

TEST_F(PrefixTreeTest, a_pin_has_copies) {
  auto inserted = run(0, "0123456789");
  PrefixTree::Pin copy = inserted.pin;
  inserted.pin.reset();
  EXPECT_EQ(tree_->evictable(), 0u);
  copy.reset();
  EXPECT_EQ(tree_->evictable(), 10u);
}

TEST_F(PrefixTreeTest, a_pin_that_outlives_its_tree_is_a_mistake) {
  const auto inserted = run(0, "0123456789");
  EXPECT_DEATH(tree_.reset(), "no pin outlives");
}

TEST_F(PrefixTreeTest, without_holders_nothing_is_kept) {
  make_tree(options(0));
  EXPECT_EQ(keep("hello world"), 0u);
  EXPECT_EQ(tree_->cells(), 0u);
}

}  // namespace
}  // namespace cortex::cache
