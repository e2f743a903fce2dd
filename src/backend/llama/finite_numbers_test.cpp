// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/finite_numbers.h"

#include <dlfcn.h>
#include <ggml.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"

namespace cortex::backend {
namespace {

// What the library says of the same bytes; it is not asked in serving, for it writes to the
// standard error stream.
decltype(&::ggml_validate_row_data) library_check() {
  LlamaEngine engine;
  EXPECT_TRUE(engine.open().ok());
  const auto file = std::filesystem::path(engine.library()).parent_path() / "libggml-base.so";
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr);
  if (handle == nullptr) return nullptr;
  return reinterpret_cast<decltype(&::ggml_validate_row_data)>(
      dlsym(handle, "ggml_validate_row_data")
  );
}

bool is_finite(std::uint32_t type, const std::string& blocks) {
  return numbers_are_finite(*multiplied_type(type), blocks);
}

std::string bytes_of_float(float value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

TEST(FiniteNumbers, floats_are_looked_at_one_by_one) {
  const std::string one = bytes_of_float(1);
  EXPECT_TRUE(is_finite(GGML_TYPE_F32, ""));
  EXPECT_TRUE(is_finite(GGML_TYPE_F32, one + bytes_of_float(-3e38F) + bytes_of_float(1e-45F)));
  EXPECT_FALSE(is_finite(GGML_TYPE_F32, one + bytes_of_float(-HUGE_VALF) + one));
  EXPECT_FALSE(is_finite(GGML_TYPE_F32, one + one + bytes_of_float(NAN)));
  EXPECT_TRUE(is_finite(GGML_TYPE_F16, {"\xFF\x7B\xFF\xFB", 4}));
  EXPECT_FALSE(is_finite(GGML_TYPE_F16, {"\xFF\x7B\x00\xFC", 4}));
  EXPECT_TRUE(is_finite(GGML_TYPE_BF16, {"\x7F\x7F\xFF\x7B", 4}));
  EXPECT_FALSE(is_finite(GGML_TYPE_BF16, {"\x7F\x7F\x80\x7F", 4}));
}

// Every place of a block of every type, with what is no number as a float of 16 bits and as others:
// the library knows where the scales lie.
TEST(FiniteNumbers, scales_of_all_quantised_types_are_those_that_the_library_finds) {
  const auto library = library_check();
  ASSERT_NE(library, nullptr);
  std::size_t types = 0;
  for (std::uint32_t number = 0; number < GGML_TYPE_COUNT; ++number) {
    const TensorType* type = multiplied_type(number);
    if (type == nullptr) continue;
    ++types;
    for (std::size_t at = 0; at + 4 <= 2 * std::size_t{type->block_bytes}; ++at) {
      for (const std::string bits : {"\x01\x7C\x01\x7C", "\xFF\xFF\xFF\xFF"}) {
        std::string blocks(2 * std::size_t{type->block_bytes}, '\x2A');
        blocks.replace(at, bits.size(), bits);
        const bool valid = library(static_cast<ggml_type>(number), blocks.data(), blocks.size());
        EXPECT_EQ(numbers_are_finite(*type, blocks), valid) << type->name << " at " << at;
      }
    }
  }
  EXPECT_EQ(types, 28U);
}

}  // namespace
}  // namespace cortex::backend
