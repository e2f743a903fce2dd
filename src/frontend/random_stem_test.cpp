// SPDX-License-Identifier: Apache-2.0
#include "frontend/random_stem.h"

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

TEST(RandomStem, is_32_hexadecimal_digits_and_never_the_same) {
  const std::string stem = random_stem();
  EXPECT_EQ(stem.size(), 32U);
  EXPECT_EQ(stem.find_first_not_of("0123456789abcdef"), std::string::npos) << stem;
  EXPECT_NE(stem, random_stem());
}

}  // namespace
}  // namespace cortex::frontend
