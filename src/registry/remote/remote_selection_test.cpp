// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/remote_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

RemoteSelection selection_of(const std::vector<std::string>& references) {
  const auto out = parse_selections(references);
  EXPECT_TRUE(out.ok()) << out.status().text();
  return out->at("m");
}

RemoteModel model() {
  return {
      "m",
      {{"champion", 2}, {"challenger", 5}},
      {{3, "Production", "1", true}, {7, "None", "1", true}, {8, "Staging", "1", false}}
  };
}

TEST(RemoteSelection, means_what_every_reference_means) {
  EXPECT_THAT(choose(selection_of({"m"}), model()).versions, ElementsAre(7));
  EXPECT_THAT(choose(selection_of({"m@4", "models:/m/6"}), model()).versions, ElementsAre(4, 6));
  const RemoteChoice named =
      choose(selection_of({"m@champion", "models:/m@challenger", "models:/m/Production"}), model());
  EXPECT_THAT(named.versions, ElementsAre(2, 3, 5));
  EXPECT_THAT(
      named.aliases, ElementsAre(Pair("/Production", 3), Pair("challenger", 5), Pair("champion", 2))
  );
}

TEST(RemoteSelection, leaves_out_what_does_not_stand_or_is_not_ready) {
  const RemoteChoice none = choose(selection_of({"m@other", "models:/m/Staging"}), model());
  EXPECT_THAT(none.versions, IsEmpty());
  EXPECT_THAT(none.aliases, IsEmpty());
}

TEST(RemoteSelection, keeps_models_apart_and_names_what_is_wrong) {
  const std::vector<std::string> two{"a", "b/c@x"};
  const auto parsed = parse_selections(two);
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->at("a").newest);
  EXPECT_THAT(parsed->at("b/c").aliases, ElementsAre("x"));
  for (const std::string wrong : {"", "a@", "../a", "a+b", "a@0"}) {
    const std::vector<std::string> references{"good", wrong};
    const Status status = parse_selections(references).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << wrong;
    EXPECT_THAT(status.text(), HasSubstr("'" + wrong + "'"));
  }
}

}  // namespace
}  // namespace cortex::registry
