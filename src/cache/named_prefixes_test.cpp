// SPDX-License-Identifier: Apache-2.0
#include "cache/named_prefixes.h"

#include <gtest/gtest.h>

namespace cortex::cache {
namespace {

NamedPrefix named(const std::string& name, std::size_t tokens, const PrefixSpace& space = {}) {
  NamedPrefix out;
  out.name = name;
  out.space = space;
  for (std::size_t i = 0; i < tokens; ++i) out.tokens.push_back(static_cast<Token>(i + 1));
  return out;
}

PrefixTreeOptions holders(std::int32_t count) {
  PrefixTreeOptions out;
  out.holder_first = 10;
  out.holders = count;
  return out;
}

constexpr TimePoint kNow = TimePoint(std::chrono::hours(1));

TEST(NamedPrefixes, holds_what_it_was_given_until_it_is_removed) {
  PrefixTree tree(holders(4));
  NamedPrefixes names({4, 100});
  ASSERT_TRUE(names.add(named("pirate", 20)).ok());
  const NamedPrefix* missing = names.next_missing();
  ASSERT_NE(missing, nullptr);
  auto inserted = tree.insert(missing->space, missing->tokens, 0, kNow);
  names.hold(missing->name, std::move(inserted.pin), inserted.tokens);
  EXPECT_EQ(names.next_missing(), nullptr);
  EXPECT_EQ(names.tokens_held(), 20u);
  EXPECT_EQ(names.find("pirate")->held, 20u);
  EXPECT_TRUE(tree.evict(100, kNow).empty());
  EXPECT_TRUE(names.remove("pirate"));
  EXPECT_FALSE(names.remove("pirate"));
  EXPECT_EQ(tree.evict(100, kNow).size(), 1u);
  EXPECT_EQ(tree.cells(), 0u);
}

TEST(NamedPrefixes, refuses_with_the_limit_that_was_reached) {
  NamedPrefixes names({2, 50});
  EXPECT_EQ(names.add(named("", 5)).code(), Code::kInvalidArgument);
  EXPECT_EQ(names.add(named(std::string(513, 'n'), 5)).code(), Code::kInvalidArgument);
  EXPECT_EQ(names.add(named("a", 0)).code(), Code::kInvalidArgument);
  EXPECT_TRUE(names.add(named("a", 30)).ok());
  EXPECT_EQ(names.add(named("a", 5)).code(), Code::kAlreadyExists);
  const Status tokens = names.add(named("b", 21));
  EXPECT_EQ(tokens.code(), Code::kResourceExhausted);
  EXPECT_EQ(tokens.text(), "named prefixes would have 51 tokens, the limit is 50");
  EXPECT_TRUE(names.add(named("b", 20)).ok());
  EXPECT_EQ(names.add(named("c", 1)).code(), Code::kResourceExhausted);
  names.remove("a");
  EXPECT_TRUE(names.add(named("c", 30)).ok());
}

TEST(NamedPrefixes, offers_what_is_missing_once_and_again_when_there_is_room) {
  PrefixTree tree(holders(1));
  NamedPrefixes names({4, 100});
  ASSERT_TRUE(names.add(named("a", 10)).ok());
  ASSERT_TRUE(names.add(named("b", 10, {"lora", "", ""})).ok());
  const NamedPrefix* first = names.next_missing();
  auto inserted = tree.insert(first->space, first->tokens, 0, kNow);
  names.hold("a", std::move(inserted.pin), inserted.tokens);
  const NamedPrefix* second = names.next_missing();
  ASSERT_NE(second, nullptr);
  inserted = tree.insert(second->space, second->tokens, 0, kNow);
  EXPECT_EQ(inserted.tokens, 0u) << "the only holder is pinned";
  names.hold("b", std::move(inserted.pin), inserted.tokens);
  EXPECT_EQ(names.next_missing(), nullptr);
  names.renew();
  EXPECT_EQ(names.next_missing()->name, "b");
}

TEST(NamedPrefixes, forgets_those_of_a_space) {
  NamedPrefixes names({4, 100});
  ASSERT_TRUE(names.add(named("a", 10)).ok());
  ASSERT_TRUE(names.add(named("b", 10, {"lora", "", ""})).ok());
  ASSERT_TRUE(names.add(named("c", 10, {"lora", "", ""})).ok());
  EXPECT_EQ(names.forget({"lora", "", ""}), 2u);
  ASSERT_EQ(names.list().size(), 1u);
  EXPECT_EQ(names.list()[0].name, "a");
}

TEST(NamedPrefixes, lets_go_of_all_pins_and_keeps_the_names) {
  PrefixTree tree(holders(4));
  NamedPrefixes names({4, 100});
  ASSERT_TRUE(names.add(named("a", 10)).ok());
  auto inserted = tree.insert({}, names.next_missing()->tokens, 0, kNow);
  names.hold("a", std::move(inserted.pin), inserted.tokens);
  names.release();
  EXPECT_EQ(tree.evictable(), 10u);
  EXPECT_EQ(names.tokens_held(), 0u);
  EXPECT_EQ(names.next_missing()->name, "a");
}

}  // namespace
}  // namespace cortex::cache
