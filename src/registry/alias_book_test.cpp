// SPDX-License-Identifier: Apache-2.0
#include "registry/alias_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;

class AliasBookTest : public ::testing::Test {
 protected:
  // What serves after a change, and "-" for nothing that is ready.
  std::string after(std::int64_t target, const std::set<std::int64_t>& ready) {
    book_.point({{"a", target}});
    book_.settle(ready);
    const std::int64_t serving = book_.states().at("a").serving;
    return ready.contains(serving) ? std::to_string(serving) : "-";
  }

  AliasBook book_;
};

TEST_F(AliasBookTest, serves_the_old_version_until_the_new_one_is_ready) {
  EXPECT_EQ(after(1, {}), "-");
  EXPECT_EQ(after(1, {1}), "1");
  EXPECT_EQ(after(2, {1}), "1");
  EXPECT_THAT(book_.pinned(), ElementsAre(1));
  EXPECT_EQ(after(2, {1, 2}), "2");
  EXPECT_THAT(book_.pinned(), ElementsAre(2));
  EXPECT_EQ(book_.states().at("a").previous, 1);
  EXPECT_EQ(after(2, {2}), "2");
}

TEST_F(AliasBookTest, goes_back_at_once_while_the_old_version_is_there) {
  EXPECT_EQ(after(1, {1, 2}), "1");
  EXPECT_EQ(after(2, {1, 2}), "2");
  EXPECT_EQ(after(1, {1, 2}), "1");
}

TEST_F(AliasBookTest, stays_where_it_is_through_targets_that_never_come) {
  EXPECT_EQ(after(1, {1}), "1");
  for (const std::int64_t target : {2, 3, 4}) EXPECT_EQ(after(target, {1}), "1");
}

TEST_F(AliasBookTest, serves_what_it_served_before_when_its_version_goes_away) {
  EXPECT_EQ(after(1, {1, 2}), "1");
  EXPECT_EQ(after(2, {1, 2}), "2");
  EXPECT_EQ(after(2, {1}), "1");
  EXPECT_EQ(after(2, {1, 2}), "2");
}

TEST_F(AliasBookTest, serves_no_version_that_it_never_pointed_to) {
  EXPECT_EQ(after(1, {2, 3}), "-");
  EXPECT_TRUE(book_.pinned().empty());
}

TEST_F(AliasBookTest, never_answers_with_what_it_was_told_of_the_time_before) {
  book_.point({{"a", 2}}, {{"a", 1}});
  book_.settle({1});
  EXPECT_EQ(book_.states().at("a").serving, 0);
  book_.settle({1, 2});
  EXPECT_EQ(book_.states().at("a").serving, 2);
  EXPECT_EQ(book_.states().at("a").previous, 1);
  book_.point({{"a", 2}}, {{"a", 7}});
  book_.settle({1, 2});
  EXPECT_EQ(book_.states().at("a").previous, 1);
}

TEST_F(AliasBookTest, forgets_an_alias_that_is_gone) {
  EXPECT_EQ(after(1, {1}), "1");
  book_.point({});
  book_.settle({1});
  EXPECT_TRUE(book_.states().empty());
  EXPECT_EQ(after(2, {1}), "-");
}

TEST(AliasBook, forgets_what_an_alias_may_not_serve_any_more) {
  AliasBook book;
  book.point({{"strict", 1}, {"other", 1}});
  book.settle({1});
  book.point({{"strict", 2}, {"other", 2}}, {{"strict", 1}, {"other", 1}});
  book.permit({{"strict", {2}}});
  book.settle({1});
  EXPECT_EQ(book.states().at("strict").serving, 0);
  EXPECT_EQ(book.states().at("strict").previous, 0);
  EXPECT_EQ(book.states().at("other").serving, 1);
  book.settle({1, 2});
  EXPECT_EQ(book.states().at("strict").serving, 2);
  EXPECT_EQ(book.states().at("strict").previous, 0);
}

}  // namespace
}  // namespace cortex::registry
