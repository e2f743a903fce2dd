// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/adapter_products.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/detail/processor_generation.h"
#include "backend/llama/detail/product_kernel.h"
#include "backend/llama/detail/taken_nodes.h"

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

void set_tensor(ggml_tensor& tensor, ggml_type type, std::size_t width, std::size_t rows) {
  const std::size_t size = type == GGML_TYPE_F32 ? 4 : 2;
  tensor.type = type;
  tensor.ne[0] = static_cast<std::int64_t>(width);
  tensor.ne[1] = static_cast<std::int64_t>(rows);
  tensor.ne[2] = tensor.ne[3] = 1;
  tensor.nb[0] = size;
  tensor.nb[1] = tensor.nb[2] = tensor.nb[3] = size * width;
}

// A node of a graph as the library makes it, for a product.
struct ProductNode {
  ggml_tensor matrix{};
  ggml_tensor in{};
  ggml_tensor node{};

  ProductNode(Product& product, const char* name) {
    constexpr ggml_type kTypes[] = {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16};
    set_tensor(matrix, kTypes[static_cast<int>(product.numbers)], product.width, product.outputs);
    std::strncpy(matrix.name, name, std::size(matrix.name) - 1);
    matrix.data = product.bytes.data();
    set_tensor(in, GGML_TYPE_F32, product.width, product.rows);
    in.data = product.in.data();
    set_tensor(node, GGML_TYPE_F32, product.outputs, product.rows);
    node.nb[1] = product.out_step() * sizeof(float);
    node.data = product.out.data();
    node.op = GGML_OP_MUL_MAT;
    node.op_params[0] = GGML_PREC_F32;
    node.flags = GGML_TENSOR_FLAG_COMPUTE;
    node.src[0] = &matrix;
    node.src[1] = &in;
  }
  // As the library calls what a user gave it.
  void compute(int threads) {
    ASSERT_EQ(node.op, GGML_OP_CUSTOM);
    struct {
      ggml_custom_op_t function;
      int tasks;
      void* userdata;
    } custom;
    std::memcpy(&custom, node.op_params, sizeof custom);
    std::vector<std::jthread> others;
    for (int thread = 0; thread < threads; ++thread) {
      others.emplace_back([&, thread] { custom.function(&node, thread, threads, custom.userdata); }
      );
    }
  }
};

class AdapterProductsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (processor_generation() == ProcessorGeneration::kOther) GTEST_SKIP() << "no kernel of ours";
  }
  std::vector<float> computed(Product product, int threads) {
    product.out.assign(product.out.size(), -77);
    ProductNode node(product, "blk.0.attn_q.weight.lora_a");
    EXPECT_TRUE(products_.take(&node.node, taken_));
    node.compute(threads);
    taken_.give_back();
    products_.clear();
    return product.out;
  }

  AdapterProducts products_;
  TakenNodes taken_;
};

TEST_F(AdapterProductsTest, are_the_same_to_the_last_bit_for_one_row_and_for_many_on_any_threads) {
  std::mt19937 random(23);
  for (const ProductNumbers numbers : kAllNumbers) {
    for (const std::size_t outputs : {1U, 8U, 203U}) {
      const Product product = product_of(random, 33, outputs, 150, numbers);
      const std::vector<float> whole = computed(product, 1);
      for (const int threads : {2, 3, 7}) ASSERT_EQ(computed(product, threads), whole) << outputs;
      for (const std::size_t row : {0U, 63U, 64U, 149U}) {
        Product alone = product;
        alone.rows = 1;
        alone.out.resize(product.out_step());
        const auto in = product.in.begin() + static_cast<std::ptrdiff_t>(row * product.width);
        alone.in.assign(in, in + static_cast<std::ptrdiff_t>(product.width));
        const auto out = whole.begin() + static_cast<std::ptrdiff_t>(row * product.out_step());
        const std::vector<float> same(out, out + static_cast<std::ptrdiff_t>(product.out_step()));
        ASSERT_EQ(computed(alone, 2), same) << outputs << ' ' << row;
      }
    }
  }
}

TEST_F(AdapterProductsTest, are_the_librarys_again_when_the_step_is_over) {
  std::mt19937 random(24);
  Product product = product_of(random, 32, 8, 2, ProductNumbers::kFloat);
  ProductNode node(product, "blk.0.attn_q.weight.lora_b");
  ASSERT_TRUE(products_.take(&node.node, taken_));
  EXPECT_EQ(node.node.op, GGML_OP_CUSTOM);
  taken_.give_back();
  products_.clear();
  EXPECT_EQ(node.node.op, GGML_OP_MUL_MAT);
  EXPECT_EQ(node.node.op_params[0], GGML_PREC_F32);
}

TEST_F(AdapterProductsTest, leave_the_library_what_is_no_product_with_an_adapters_floats) {
  std::mt19937 random(25);
  Product product = product_of(random, 32, 8, 2, ProductNumbers::kFloat);
  const auto taken = [&](const char* name, const auto& change) {
    ProductNode node(product, name);
    change(node);
    return products_.take(&node.node, taken_);
  };
  const char* const name = "blk.0.attn_q.weight.lora_a";
  EXPECT_FALSE(taken("blk.0.attn_q.weight", [](ProductNode&) {}));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.matrix.type = GGML_TYPE_Q4_1; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.matrix.op = GGML_OP_VIEW; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.matrix.ne[2] = 2; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.in.type = GGML_TYPE_F16; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.in.nb[0] = 8; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.node.op = GGML_OP_MUL_MAT_ID; }));
  EXPECT_FALSE(taken(name, [](ProductNode& node) { node.node.flags = 0; }));
}
#endif

}  // namespace
}  // namespace cortex::backend
