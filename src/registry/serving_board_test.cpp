// SPDX-License-Identifier: Apache-2.0
#include "registry/serving_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ServingBoardTest : public ::testing::Test {
 protected:
  static Handle handle(std::int64_t version, bool stored = true) {
    auto out = std::make_shared<ServingVersion>();
    out->identity = {"m", std::to_string(version)};
    out->number = version;
    out->stored = stored;
    return out;
  }

  // Versions of "m" that are ready; the others are known and failed.
  ServingBoard::Pins hold(
      const std::set<std::int64_t>& ready,
      const std::set<std::int64_t>& failed = {},
      bool stored = true
  ) {
    auto held = std::make_shared<ReconciledModel>();
    std::map<std::int64_t, IndexEntry> entries;
    for (const std::int64_t v : ready) {
      held->ready.push_back(handle(v, stored));
      entries[v] = {"m", std::to_string(v), VersionState::kReady, ""};
    }
    for (const std::int64_t v : failed) {
      entries[v] = {"m", std::to_string(v), VersionState::kFailed, "broken"};
    }
    for (const auto& [version, entry] : entries) held->entries.push_back(entry);
    ServingBoard::Pins seen;
    board_.update([&](const ServingBoard::Pins& pins) {
      seen = pins;
      return ServingBoard::Changes{{{"m", held}}, false};
    });
    return seen;
  }

  std::string served(const std::string& reference) {
    const auto found = board_.table()->acquire(*ModelReference::parse(reference));
    return found.ok() ? (*found)->identity.version : found.status().text();
  }
  std::string after(const std::string& reference, const std::string& failed) {
    const auto found = board_.table()->acquire_previous(*ModelReference::parse(reference), failed);
    return found.ok() ? (*found)->identity.version : "-";
  }

  ServingBoard board_{""};
};

TEST_F(ServingBoardTest, resolves_version_before_alias_before_newest) {
  hold({1, 2, 3});
  board_.set_stored({{"m", {{{"a", 1}, {"/Production", 2}}, {}}}});
  EXPECT_EQ(served("m@2"), "2");
  EXPECT_EQ(served("m@a"), "1");
  EXPECT_EQ(served("models:/m/production"), "2");
  EXPECT_EQ(served("m"), "3");
}

TEST_F(ServingBoardTest, lets_a_default_alias_say_what_the_plain_name_means) {
  ServingBoard board("champion");
  auto held = std::make_shared<ReconciledModel>();
  held->ready = {handle(1), handle(2)};
  held->entries = {{"m", "1", VersionState::kReady, ""}, {"m", "2", VersionState::kReady, ""}};
  board.update([&](const auto&) { return ServingBoard::Changes{{{"m", held}}, false}; });
  const ModelReference plain = *ModelReference::parse("m");
  EXPECT_EQ((*board.table()->acquire(plain))->number, 2);
  board.set_stored({{"m", {{{"champion", 1}}, {}}}});
  EXPECT_EQ((*board.table()->acquire(plain))->number, 1);
  board.set_stored({{"m", {{{"champion", 9}}, {}}}});
  EXPECT_EQ((*board.table()->acquire(plain))->number, 1);
}

TEST_F(ServingBoardTest, says_why_an_alias_serves_nothing) {
  hold({}, {4});
  board_.set_stored({{"m", {{{"a", 4}, {"b", 7}, {"c", 8}}, {{7, "no ONNX flavor: sklearn"}}}}});
  EXPECT_THAT(served("m@a"), HasSubstr("version 4 is not at ready state: broken"));
  EXPECT_THAT(served("m@b"), HasSubstr("no ONNX flavor: sklearn"));
  EXPECT_THAT(served("m@c"), HasSubstr("version 8 is not loaded yet"));
  EXPECT_THAT(served("m@d"), HasSubstr("has no alias 'd'"));
  EXPECT_THAT(served("models:/m/None"), HasSubstr("has no version in stage 'None'"));
}

TEST_F(ServingBoardTest, shows_in_the_index_where_an_alias_stays) {
  hold({1}, {2});
  board_.set_stored({{"m", {{{"a", 1}}, {}}}});
  board_.set_stored({{"m", {{{"a", 2}}, {{3, "not kept"}}}}});
  EXPECT_EQ(served("m@a"), "1");
  std::vector<std::string> lines;
  const auto model = board_.table()->models.at("m");
  for (const IndexEntry& entry : model->entries) {
    lines.push_back(entry.version + " " + entry.reason);
  }
  EXPECT_THAT(lines, ElementsAre("1 ", "2 broken; 'a' stays on version 1", "3 not kept"));
}

TEST_F(ServingBoardTest, tells_the_registrys_thread_what_aliases_need) {
  hold({1, 2});
  board_.set_stored({{"m", {{{"a", 1}}, {}}}});
  EXPECT_THAT(hold({1, 2}), ElementsAre(Pair("m", ElementsAre(1))));
  EXPECT_TRUE(hold({1, 2}).empty());
  board_.set_stored({{"m", {{{"a", 2}}, {}}}});
  board_.set_stored({{"m", {{{"a", 3}}, {}}}});
  EXPECT_THAT(hold({1, 2}), ElementsAre(Pair("m", ElementsAre(2))));
  board_.set_stored({{"m", {}}});
  EXPECT_THAT(hold({1, 2}), ElementsAre(Pair("m", ElementsAre())));
}

TEST_F(ServingBoardTest, never_gives_an_alias_a_users_own_version) {
  hold({1}, {}, false);
  board_.set_stored({{"m", {{{"a", 1}}, {}}}});
  EXPECT_EQ(served("m"), "1");
  EXPECT_THAT(served("m@a"), HasSubstr("version 1"));
}

TEST_F(ServingBoardTest, has_another_version_to_try) {
  hold({1, 2, 3});
  board_.set_stored({{"m", {{{"a", 1}}, {}}}});
  board_.set_stored({{"m", {{{"a", 3}}, {}}}});
  EXPECT_EQ(after("m@a", "3"), "1");  // what it served before
  EXPECT_EQ(after("m@a", "1"), "3");  // it moved on meanwhile
  EXPECT_EQ(after("m", "3"), "2");
  EXPECT_EQ(after("m", "1"), "-");
  EXPECT_EQ(after("m@3", "3"), "-");
  EXPECT_EQ(after("unknown", "3"), "-");
}

TEST_F(ServingBoardTest, tries_no_version_that_an_alias_never_served) {
  hold({1, 2, 3});
  board_.set_stored({{"m", {{{"a", 3}}, {}}}});
  EXPECT_EQ(after("m@a", "3"), "-");
  EXPECT_EQ(after("m", "3"), "2");
  board_.set_stored({{"m", {{{"a", 2}}, {}}}});
  StoredFacts facts{{{"a", 2}}, {}};
  facts.permitted = {{"a", {2}}};
  board_.set_stored({{"m", facts}});
  EXPECT_EQ(after("m@a", "2"), "-");
  // It went away while the request ran.
  board_.set_stored({{"m", {}}});
  EXPECT_EQ(after("m@a", "2"), "-");
}

TEST_F(ServingBoardTest, tries_no_other_version_for_a_plain_name_that_means_an_alias) {
  ServingBoard board("champion");
  auto held = std::make_shared<ReconciledModel>();
  held->ready = {handle(1), handle(2)};
  held->entries = {{"m", "1", VersionState::kReady, ""}, {"m", "2", VersionState::kReady, ""}};
  board.update([&](const auto&) { return ServingBoard::Changes{{{"m", held}}, false}; });
  const ModelReference plain = *ModelReference::parse("m");
  EXPECT_TRUE(board.table()->acquire_previous(plain, "2").ok());
  board.set_stored({{"m", {{{"champion", 2}}, {}}}});
  EXPECT_EQ(board.table()->acquire_previous(plain, "2").status().code(), Code::kNotFound);
}

TEST_F(ServingBoardTest, serves_nothing_under_an_alias_that_may_serve_nothing) {
  ServingBoard board("champion");
  auto held = std::make_shared<ReconciledModel>();
  held->ready = {handle(1)};
  held->entries = {{"m", "1", VersionState::kReady, ""}};
  board.update([&](const auto&) { return ServingBoard::Changes{{{"m", held}}, false}; });
  board.set_stored({{"m", {{{"champion", 1}}, {}}}});
  EXPECT_TRUE(board.table()->acquire(*ModelReference::parse("m")).ok());
  StoredFacts facts{{{"champion", 0}}, {}};
  facts.permitted = {{"champion", {}}};
  facts.notes = {{1, "not signed"}};
  board.set_stored({{"m", facts}});
  for (const char* name : {"m", "m@champion"}) {
    const Status refused = board.table()->acquire(*ModelReference::parse(name)).status();
    EXPECT_EQ(refused.code(), Code::kUnavailable) << name;
    EXPECT_THAT(refused.text(), HasSubstr("its alias 'champion' serves nothing")) << name;
    EXPECT_FALSE(board.table()->acquire_previous(*ModelReference::parse(name), "1").ok()) << name;
  }
  EXPECT_TRUE(board.table()->acquire(*ModelReference::parse("m@1")).ok());
  const auto model = board.table()->models.at("m");
  ASSERT_EQ(model->entries.size(), 1U);
  EXPECT_EQ(model->entries[0].reason, "not signed");
}

TEST_F(ServingBoardTest, shows_notes_beside_the_state_of_a_version) {
  hold({1, 2});
  StoredFacts facts{{{"a", 1}}, {{3, "not kept"}}};
  facts.notes = {{2, "not signed"}, {3, "not signed either"}, {4, "nobody knows it"}};
  board_.set_stored({{"m", facts}});
  std::map<std::string, std::string> reasons;
  const auto model = board_.table()->models.find("m")->second;
  for (const IndexEntry& entry : model->entries) reasons[entry.version] = entry.reason;
  EXPECT_EQ(reasons["2"], "not signed");
  EXPECT_EQ(reasons["3"], "not kept; not signed either");
  EXPECT_FALSE(reasons.contains("4"));
}

TEST_F(ServingBoardTest, forgets_a_model_of_which_nothing_is_left) {
  hold({1});
  board_.set_stored({{"m", {{{"a", 1}}, {}}}});
  board_.set_stored({{"m", {}}});
  hold({});
  EXPECT_TRUE(board_.table()->models.empty());
}

}  // namespace
}  // namespace cortex::registry
