// SPDX-License-Identifier: Apache-2.0
#include "tracking/validation.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::tracking {
namespace {

using testing::HasSubstr;

TEST(Names, hold_letters_digits_and_a_few_signs) {
  for (const char* good : {"a", "A_b-c.d e:f/g", "train/loss", "größe", "a..b", "0"}) {
    EXPECT_TRUE(check_name(good, "key").ok()) << good;
  }
  for (const char* bad : {"a?", "a\"b", "a\\b", "a\nb", "a,b", "$"}) {
    EXPECT_THAT(check_name(bad, "key").text(), HasSubstr("Names may only contain")) << bad;
  }
}

TEST(Names, are_no_paths_to_other_names) {
  for (const char* bad :
       {"", ".", "..", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "./a", "//a"}) {
    EXPECT_THAT(check_name(bad, "key").text(), HasSubstr("must not resolve to other names")) << bad;
  }
  EXPECT_THAT(check_name("a/../b", "key").text(), HasSubstr("would resolve to 'b'"));
}

TEST(Lengths, are_counted_in_characters) {
  EXPECT_EQ(count_characters("aü€😀"), 4U);
  std::string text = "aü€😀";
  truncate_characters(text, 3);
  EXPECT_EQ(text, "aü€");
  truncate_characters(text, 3);
  EXPECT_EQ(text, "aü€");
}

TEST(PageSizes, are_between_one_and_the_limit) {
  EXPECT_TRUE(check_page_size(1).ok());
  EXPECT_TRUE(check_page_size(50000).ok());
  EXPECT_EQ(
      check_page_size(0).text(),
      "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"
  );
  EXPECT_THAT(check_page_size(50001).text(), HasSubstr("It must be at most 50000"));
}

}  // namespace
}  // namespace cortex::tracking
