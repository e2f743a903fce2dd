// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/stored_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using Versions = std::vector<std::int64_t>;
using Aliases = std::map<std::string, AliasState>;
using Set = std::set<std::int64_t>;

struct Row {
  const char* name;
  StoredView view;
  Set hold;
  Set left_out = {};
};

TEST(StoredPolicy, says_what_is_held) {
  // An alias is {target, serving, previous}.
  for (const Row& row : std::vector<Row>{
           {"nothing there", {{}, {}, {}, {}, 2}, {}},
           {"the newest, as many as may be", {{1, 2, 3}, {}, {}, {}, 2}, {2, 3}},
           {"an alias before other new ones", {{1, 2, 3}, {{"a", {1}}}, {}, {}, 2}, {1, 3}},
           {"an alias before the newest", {{1, 2, 3}, {{"a", {1}}}, {}, {}, 1}, {1}},
           {"one version for several aliases",
            {{1, 2, 3}, {{"a", {1}}, {"b", {1}}}, {}, {}, 2},
            {1, 3}},
           {"what an alias leaves stays until its successor is ready",
            {{1, 2, 3}, {{"a", {3, 1}}}, {1}, {}, 1},
            {1, 3}},
           {"and goes then", {{1, 2, 3}, {{"a", {3, 3, 1}}}, {1, 3}, {}, 1}, {3}},
           {"unless there is room to go back to it",
            {{1, 2, 3}, {{"a", {3, 3, 1}}}, {1, 3}, {}, 2},
            {1, 3}},
           {"an alias stays on what it serves when its target failed, which does not count",
            {{1, 2, 3}, {{"a", {3, 1}}}, {1}, {3}, 1},
            {1, 3}},
           {"another one takes the place of one that failed", {{1, 2, 3}, {}, {}, {3}, 1}, {2, 3}},
           {"but not for ever", {{1, 2, 3, 4, 5}, {}, {}, {2, 3, 4, 5}, 1}, {4, 5}},
           {"where all new ones failed the newest that is here stays",
            {{1, 2, 3, 4}, {}, {1, 2}, {3, 4}, 1},
            {2, 3, 4}},
           {"more aliases than room: the newest versions, and it is said which is left out",
            {{1, 2, 3}, {{"a", {1}}, {"b", {2}}, {"c", {3}}}, {}, {}, 2},
            {2, 3},
            {1}},
           {"what serves comes before what does not",
            {{1, 2, 3}, {{"a", {1, 1}}, {"b", {2}}}, {1}, {}, 1},
            {1},
            {2}},
           {"an alias that finds no room keeps what it serves",
            {{1, 2, 3}, {{"a", {1, 1}}, {"b", {3, 2}}}, {1, 2}, {}, 1},
            {1, 2},
            {3}},
           {"a failed target without room is remembered",
            {{1, 2, 3}, {{"a", {1, 1}}, {"b", {3, 2}}}, {1, 2}, {3}, 1},
            {1, 2, 3}},
           {"a target that is not known holds nothing", {{1, 2}, {{"a", {9, 1}}}, {1}, {}, 1}, {1}},
           {"what is gone is not held for an alias", {{2}, {{"a", {2, 1}}}, {1}, {}, 1}, {2}},
       }) {
    const StoredPlan plan = plan_stored(row.view);
    EXPECT_EQ(plan.hold, row.hold) << row.name;
    Set left_out;
    for (const auto& [version, why] : plan.left_out) left_out.insert(version);
    EXPECT_EQ(left_out, row.left_out) << row.name;
  }
}

TEST(StoredPolicy, names_the_limit_that_leaves_a_version_out) {
  const StoredPlan plan = plan_stored({{1, 2}, {{"a", {1}}, {"b", {2}}}, {}, {}, 1});
  EXPECT_THAT(plan.left_out.at(1), testing::HasSubstr("models.stored_versions"));
}

}  // namespace
}  // namespace cortex::registry
