// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/semantic_version.h"

#include <gtest/gtest.h>

#include "registry/catalog/lifecycle_stage.h"

namespace cortex::registry {
namespace {

TEST(SemanticVersion, is_three_numbers_and_nothing_else) {
  EXPECT_EQ(*parse_semantic_version("1.20.300"), (SemanticVersion{1, 20, 300}));
  EXPECT_EQ(*parse_semantic_version("0.0.0"), (SemanticVersion{0, 0, 0}));
  for (const char* bad :
       {"",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.3-rc1",
        "1.2.3+b",
        "v1.2.3",
        "01.2.3",
        "1.02.3",
        "1..3",
        " 1.2.3",
        "1.2.3 ",
        "-1.2.3",
        "1.2.1000000000"}) {
    EXPECT_EQ(parse_semantic_version(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

TEST(SemanticVersion, reads_back_as_it_was_written) {
  EXPECT_EQ(to_text(*parse_semantic_version("1.20.300")), "1.20.300");
}

TEST(SemanticVersion, orders_by_number_and_not_by_text) {
  EXPECT_LT(*parse_semantic_version("1.9.0"), *parse_semantic_version("1.10.0"));
}

TEST(SemanticVersion, counts_up_one_part_and_clears_those_behind_it) {
  const SemanticVersion at{1, 2, 3};
  EXPECT_EQ(next_version(at, Increment::kPatch), (SemanticVersion{1, 2, 4}));
  EXPECT_EQ(next_version(at, Increment::kMinor), (SemanticVersion{1, 3, 0}));
  EXPECT_EQ(next_version(at, Increment::kMajor), (SemanticVersion{2, 0, 0}));
}

TEST(SemanticVersion, begins_at_1_0_0) {
  EXPECT_EQ(next_version(std::nullopt, Increment::kPatch), (SemanticVersion{1, 0, 0}));
  EXPECT_EQ(next_version(std::nullopt, Increment::kMajor), (SemanticVersion{1, 0, 0}));
}

TEST(LifecycleStage, is_read_in_any_case_and_written_in_one) {
  EXPECT_EQ(stage_name(*parse_stage("PRODUCTION")), "Production");
  EXPECT_EQ(stage_name(*parse_stage("none")), "None");
  EXPECT_EQ(parse_stage("Prod").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(parse_stage("").status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace cortex::registry
