// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/detail/processor_generation.h"
#include "backend/llama/detail/product_kernel.h"

namespace cortex::backend {
namespace {

constexpr std::size_t kUntouched = 3;  // numbers behind each row of the result

// Numbers that all three types know exactly.
float drawn_number(std::mt19937& random) {
  return std::ldexp(static_cast<float>(static_cast<int>(random() % 255) - 127), -6);
}

std::string bytes_of(const std::vector<float>& values, ProductNumbers numbers) {
  std::string out;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (numbers == ProductNumbers::kFloat) {
      out.append(reinterpret_cast<const char*>(&bits), 4);
      continue;
    }
    std::uint32_t half = bits >> 16;
    if (numbers == ProductNumbers::kHalf) {
      const std::uint32_t size =
          (bits & 0x7FFFFFFFU) == 0 ? 0 : (bits >> 13 & 0x3FFFFU) - (112U << 10);
      half = (bits >> 16 & 0x8000U) | size;
    }
    out += static_cast<char>(half & 0xFF);
    out += static_cast<char>(half >> 8);
  }
  return out;
}

// A product, with its numbers known as floats.
struct Product {
  std::size_t width = 0;
  std::size_t outputs = 0;
  std::size_t rows = 0;
  ProductNumbers numbers = ProductNumbers::kFloat;
  std::vector<float> matrix;
  std::vector<float> in;
  std::string bytes;
  std::vector<float> out;

  [[nodiscard]] std::size_t out_step() const { return outputs + kUntouched; }
  [[nodiscard]] ProductTensors tensors() {
    return {
        .matrix = bytes.data(),
        .matrix_step = width * (numbers == ProductNumbers::kFloat ? 4 : 2),
        .numbers = numbers,
        .in = reinterpret_cast<const char*>(in.data()),
        .in_step = width * sizeof(float),
        .out = reinterpret_cast<char*>(out.data()),
        .out_step = out_step() * sizeof(float),
        .width = width,
        .outputs = outputs,
    };
  }
  [[nodiscard]] std::size_t groups() const { return (outputs + kProductGroup - 1) / kProductGroup; }
};

Product product_of(
    std::mt19937& random,
    std::size_t width,
    std::size_t outputs,
    std::size_t rows,
    ProductNumbers numbers
) {
  Product out;
  out.width = width;
  out.outputs = outputs;
  out.rows = rows;
  out.numbers = numbers;
  for (std::size_t i = 0; i < width * outputs; ++i) out.matrix.push_back(drawn_number(random));
  std::normal_distribution<float> number(0, 2);
  for (std::size_t i = 0; i < width * rows; ++i) out.in.push_back(number(random));
  out.bytes = bytes_of(out.matrix, numbers);
  out.out.assign(rows * out.out_step(), -77);
  return out;
}

#if defined(__x86_64__)
struct Generation {
  const char* name;
  bool here;
  ProductKernel kernel;
};

class ProductKernelTest : public ::testing::TestWithParam<Generation> {
 protected:
  void SetUp() override {
    if (!GetParam().here) GTEST_SKIP() << "this processor has no " << GetParam().name;
  }
};

constexpr ProductNumbers kAllNumbers[] = {
    ProductNumbers::kFloat, ProductNumbers::kHalf, ProductNumbers::kBfloat16
};

// Within the rounding of sums of floats: a unit in the last place of all that is added, for each.
void expect_product(const Product& product) {
  for (std::size_t row = 0; row < product.rows; ++row) {
    for (std::size_t i = 0; i < product.outputs; ++i) {
      double exact = 0;
      double size = 0;
      for (std::size_t k = 0; k < product.width; ++k) {
        const double one = double{product.matrix[i * product.width + k]} *
                           double{product.in[row * product.width + k]};
        exact += one;
        size += std::abs(one);
      }
      const double bound =
          size * std::ldexp(1.0, -23) * std::sqrt(static_cast<double>(product.width));
      ASSERT_NEAR(product.out[row * product.out_step() + i], exact, bound) << row << ' ' << i;
    }
    for (std::size_t i = 0; i < kUntouched; ++i) {
      ASSERT_EQ(product.out[row * product.out_step() + product.outputs + i], -77) << row;
    }
  }
}

TEST_P(ProductKernelTest, is_the_product) {
  std::mt19937 random(21);
  for (const ProductNumbers numbers : kAllNumbers) {
    for (const std::size_t width : {1U, 3U, 8U, 15U, 16U, 32U, 64U, 65U, 576U, 1003U}) {
      for (const std::size_t outputs : {1U, 3U, 8U, 9U, 16U, 31U, 192U}) {
        Product product = product_of(random, width, outputs, 1 + random() % 4, numbers);
        GetParam().kernel(product.tensors(), {0, product.groups(), 0, product.rows});
        ASSERT_NO_FATAL_FAILURE(expect_product(product)) << width << ' ' << outputs;
      }
    }
  }
}

TEST_P(ProductKernelTest, has_the_same_numbers_to_the_last_bit_whatever_the_parts) {
  std::mt19937 random(22);
  for (const ProductNumbers numbers : kAllNumbers) {
    for (const std::size_t width : {7U, 32U, 576U, 601U}) {
      Product whole = product_of(random, width, 45, 19, numbers);
      Product parts = whole;
      GetParam().kernel(whole.tensors(), {0, whole.groups(), 0, whole.rows});
      for (std::size_t row = 0; row < parts.rows;) {
        const std::size_t rows = std::min<std::size_t>(1 + random() % 3, parts.rows - row);
        for (std::size_t group = 0; group < parts.groups(); ++group) {
          GetParam().kernel(parts.tensors(), {group, 1, row, rows});
        }
        row += rows;
      }
      ASSERT_EQ(whole.out, parts.out) << width;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Generations,
    ProductKernelTest,
    ::testing::Values(
        Generation{
            "avx512", processor_generation() == ProcessorGeneration::kAvx512, avx512::multiply
        },
        Generation{"avx2", processor_generation() != ProcessorGeneration::kOther, avx2::multiply}
    ),
    [](const auto& generation) { return std::string(generation.param.name); }
);
#endif

}  // namespace
}  // namespace cortex::backend
