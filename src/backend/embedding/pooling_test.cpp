// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/pooling.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

TEST(Pooling, takes_the_mean_of_the_rows) {
  const std::vector<float> states = {1, 2, 3, 4, 5, 9};
  std::vector<float> out(2);
  pool_mean(states, out);
  EXPECT_FLOAT_EQ(out[0], 3);
  EXPECT_FLOAT_EQ(out[1], 5);
}

TEST(Pooling, returns_a_single_row_unchanged) {
  const std::vector<float> states = {0.1f, -0.7f, 3e-30f};
  std::vector<float> out(3);
  pool_mean(states, out);
  EXPECT_EQ(out, states);
}

TEST(Pooling, scales_to_length_one) {
  std::vector<float> vector = {3, 0, -4};
  normalize(vector);
  EXPECT_FLOAT_EQ(vector[0], 0.6f);
  EXPECT_FLOAT_EQ(vector[2], -0.8f);
}

TEST(Pooling, leaves_zeros_alone_and_bears_large_values) {
  std::vector<float> zeros = {0, 0};
  normalize(zeros);
  EXPECT_EQ(zeros, (std::vector<float>{0, 0}));
  std::vector<float> large = {1e30f, 1e30f};
  normalize(large);
  EXPECT_FLOAT_EQ(large[0], std::sqrt(0.5f));
}

}  // namespace
}  // namespace cortex::backend
