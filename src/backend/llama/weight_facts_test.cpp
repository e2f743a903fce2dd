// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/weight_facts.h"

#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

TEST(WeightFacts, quantizations_have_the_names_that_files_have) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"Q4_K - Medium", "Q4_K_M"},
      {"Q3_K - Large", "Q3_K_L"},
      {"Q5_K - Small", "Q5_K_S"},
      {"Q2_K - Medium", "Q2_K"},
      {"Q2_K - Small", "Q2_K_S"},
      {"Q6_K", "Q6_K"},
      {"Q8_0", "Q8_0"},
      {"F16", "F16"},
      {"all F32", "F32"},
      {"(guessed) all F32", "F32"},
      {"(guessed) Q4_1", "Q4_1"},
      {"IQ2_XXS - 2.0625 bpw", "IQ2_XXS"},
      {"IQ3_S mix - 3.66 bpw", "IQ3_M"},
      {"MXFP4 MoE", "MXFP4"},
      {"unknown, may not work", ""},
      {"(guessed) unknown, may not work", ""},
  };
  for (const auto& [library, name] : rows) EXPECT_EQ(quantization_name(library), name) << library;
}

}  // namespace
}  // namespace cortex::backend
