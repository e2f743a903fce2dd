// SPDX-License-Identifier: Apache-2.0
#include "router/workspaces.h"

#include <gtest/gtest.h>

namespace cortex::router {
namespace {

Workspaces two() { return Workspaces::make({"team-a", "team-b"}).value(); }

TEST(Workspaces, default_is_there_without_being_named_and_comes_first) {
  EXPECT_EQ(Workspaces::make({}).value().names(), std::vector<std::string>{"default"});
  EXPECT_EQ(
      Workspaces::make({"team", "default", "team"}).value().names(),
      (std::vector<std::string>{"default", "team"})
  );
}

TEST(Workspaces, refuse_names_that_clients_refuse) {
  for (const char* name :
       {"", "a", "Team", "team_a", "-team", "team-", "a b", "../x", "*", "api", "workspaces"}) {
    EXPECT_EQ(Workspaces::make({name}).status().code(), Code::kInvalidArgument) << name;
  }
  EXPECT_FALSE(Workspaces::make({std::string(64, 'a')}).ok());
  EXPECT_TRUE(Workspaces::make({std::string(63, 'a')}).ok());
}

TEST(Workspaces, a_free_key_asks_for_any_and_gets_default_without_asking) {
  EXPECT_EQ(two().choose("*", "").value(), "default");
  EXPECT_EQ(two().choose("*", "team-b").value(), "team-b");
  EXPECT_EQ(two().choose("*", "team-c").status().code(), Code::kInvalidArgument);
}

TEST(Workspaces, a_bound_key_has_its_own_and_learns_of_no_other) {
  EXPECT_EQ(two().choose("team-a", "").value(), "team-a");
  EXPECT_EQ(two().choose("team-a", "team-a").value(), "team-a");
  for (const char* asked : {"team-b", "default", "nowhere"}) {
    EXPECT_EQ(two().choose("team-a", asked).status().code(), Code::kPermissionDenied) << asked;
  }
}

}  // namespace
}  // namespace cortex::router
