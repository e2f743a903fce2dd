// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/tensor_type.h"

#include <ggml.h>

#include <algorithm>
#include <array>

namespace cortex::backend {
namespace {

constexpr auto kMultiplied = std::to_array<TensorType>({
    {GGML_TYPE_F32, "F32", 1, 4},
    {GGML_TYPE_F16, "F16", 1, 2},
    {GGML_TYPE_BF16, "BF16", 1, 2},
    {GGML_TYPE_Q4_0, "Q4_0", 32, 18, {0, -1}},
    {GGML_TYPE_Q4_1, "Q4_1", 32, 20, {0, 2}},
    {GGML_TYPE_Q5_0, "Q5_0", 32, 22, {0, -1}},
    {GGML_TYPE_Q5_1, "Q5_1", 32, 24, {0, 2}},
    {GGML_TYPE_Q8_0, "Q8_0", 32, 34, {0, -1}},
    {GGML_TYPE_Q2_K, "Q2_K", 256, 84, {80, 82}},
    {GGML_TYPE_Q3_K, "Q3_K", 256, 110, {108, -1}},
    {GGML_TYPE_Q4_K, "Q4_K", 256, 144, {0, 2}},
    {GGML_TYPE_Q5_K, "Q5_K", 256, 176, {0, 2}},
    {GGML_TYPE_Q6_K, "Q6_K", 256, 210, {208, -1}},
    {GGML_TYPE_IQ1_S, "IQ1_S", 256, 50, {0, -1}},
    {GGML_TYPE_IQ1_M, "IQ1_M", 256, 56},
    {GGML_TYPE_IQ2_XXS, "IQ2_XXS", 256, 66, {0, -1}},
    {GGML_TYPE_IQ2_XS, "IQ2_XS", 256, 74, {0, -1}},
    {GGML_TYPE_IQ2_S, "IQ2_S", 256, 82, {0, -1}},
    {GGML_TYPE_IQ3_XXS, "IQ3_XXS", 256, 98, {0, -1}},
    {GGML_TYPE_IQ3_S, "IQ3_S", 256, 110, {0, -1}},
    {GGML_TYPE_IQ4_NL, "IQ4_NL", 32, 18, {0, -1}},
    {GGML_TYPE_IQ4_XS, "IQ4_XS", 256, 136, {0, -1}},
    {GGML_TYPE_TQ1_0, "TQ1_0", 256, 54, {52, -1}},
    {GGML_TYPE_TQ2_0, "TQ2_0", 256, 66, {64, -1}},
    {GGML_TYPE_MXFP4, "MXFP4", 32, 17},
    {GGML_TYPE_NVFP4, "NVFP4", 64, 36},
    {GGML_TYPE_Q1_0, "Q1_0", 128, 18, {0, -1}},
    {GGML_TYPE_Q2_0, "Q2_0", 64, 18, {0, -1}},
});

struct OtherType {
  std::uint32_t number;
  std::string_view name;
};
constexpr auto kOthers = std::to_array<OtherType>({
    {GGML_TYPE_I8, "I8"},
    {GGML_TYPE_I16, "I16"},
    {GGML_TYPE_I32, "I32"},
    {GGML_TYPE_I64, "I64"},
    {GGML_TYPE_F64, "F64"},
    {GGML_TYPE_Q8_1, "Q8_1"},
    {GGML_TYPE_Q8_K, "Q8_K"},
});

}  // namespace

const TensorType* multiplied_type(std::uint32_t number) {
  const auto found = std::ranges::find(kMultiplied, number, &TensorType::number);
  return found == kMultiplied.end() ? nullptr : &*found;
}

std::string tensor_type_name(std::uint32_t number) {
  if (const TensorType* type = multiplied_type(number)) return std::string(type->name);
  const auto found = std::ranges::find(kOthers, number, &OtherType::number);
  return found == kOthers.end() ? "type " + std::to_string(number) : std::string(found->name);
}

}  // namespace cortex::backend
