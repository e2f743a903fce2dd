// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/detail/attention_kernel.h"
#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

// Half floats of values whose low bits are zero, so that a test knows them exactly.
std::uint16_t half_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) == 0) return 0;
  const auto exponent = static_cast<std::int32_t>(bits >> 23 & 0xFFU) - 127 + 15;
  return static_cast<std::uint16_t>(
      (bits >> 16 & 0x8000U) | static_cast<std::uint32_t>(exponent) << 10 | (bits >> 13 & 0x3FFU)
  );
}

// One layer with its numbers, and what its attention is by the definition.
struct Layer {
  std::size_t rows = 0;
  std::size_t group = 0;
  std::size_t key_heads = 0;
  std::size_t cells = 0;
  std::size_t key_size = 0;
  std::size_t value_size = 0;
  float scale = 1;
  std::vector<float> query;
  std::vector<float> key;
  std::vector<float> value;
  std::vector<float> out;
  std::vector<std::uint16_t> key_halves;
  std::vector<std::uint16_t> value_halves;
  std::vector<std::vector<bool>> sees;  // [row][place in the list]
  std::vector<std::int32_t> list;
  std::vector<std::uint16_t> seen;

  [[nodiscard]] std::size_t heads() const { return group * key_heads; }
  [[nodiscard]] std::size_t stride() const { return (list.size() + 15) / 16; }
  [[nodiscard]] AttentionTensors tensors() {
    return {
        .query =
            {reinterpret_cast<const char*>(query.data()), heads() * key_size * 4, key_size * 4},
        .key =
            {reinterpret_cast<const char*>(key_halves.data()),
             key_heads * key_size * 2,
             key_size * 2},
        .value =
            {reinterpret_cast<const char*>(value_halves.data()),
             key_heads * value_size * 2,
             value_size * 2},
        .out = {reinterpret_cast<char*>(out.data()), heads() * value_size * 4, value_size * 4},
        .key_size = key_size,
        .value_size = value_size,
        .group = group,
        .scale = scale,
    };
  }
  [[nodiscard]] AttentionTile tile() const {
    return {0, rows, list.data(), list.size(), seen.data(), stride()};
  }
};

Layer layer_of(
    std::mt19937& random, std::size_t rows, std::size_t group, std::size_t size, std::size_t seen
) {
  Layer out;
  out.rows = rows;
  out.group = group;
  out.key_heads = 1 + random() % 3;
  out.cells = seen + 1 + random() % 200;
  out.key_size = size;
  out.value_size = random() % 2 == 0 ? size : kAttentionWidth * (1 + random() % 9);
  out.scale = 1 / std::sqrt(static_cast<float>(size));
  std::normal_distribution<float> number(0, 2);
  const auto fill = [&](std::vector<float>& values,
                        std::vector<std::uint16_t>& halves,
                        std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const float drawn = number(random);
      const float normal = std::abs(drawn) < 1e-3F ? 0 : drawn;
      values.push_back(std::bit_cast<float>(std::bit_cast<std::uint32_t>(normal) & 0xFFFFE000U));
      halves.push_back(half_of(values.back()));
    }
  };
  fill(out.key, out.key_halves, out.cells * out.key_heads * out.key_size);
  fill(out.value, out.value_halves, out.cells * out.key_heads * out.value_size);
  for (std::size_t i = 0; i < rows * out.heads() * size; ++i)
    out.query.push_back(number(random) * 3);
  out.out.assign(rows * out.heads() * out.value_size, -77);
  std::vector<std::int32_t> all(out.cells);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  std::ranges::shuffle(all, random);
  out.list.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(seen));
  std::ranges::sort(out.list);
  out.seen.assign(rows * out.stride(), 0);
  out.sees.assign(rows, std::vector<bool>(seen));
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < seen; ++i) {
      if (row > 0 && (row == 3 || random() % 8 == 0)) continue;  // the fourth sees nothing
      out.sees[row][i] = true;
      out.seen[row * out.stride() + i / 16] |= static_cast<std::uint16_t>(1U << (i % 16));
    }
  }
  return out;
}

// softmax(scale * q * k) * v in double: one row's whole head.
std::vector<double> defined(const Layer& layer, std::size_t row, std::size_t head) {
  const std::size_t key_head = head / layer.group;
  const float* const query = &layer.query[(row * layer.heads() + head) * layer.key_size];
  std::vector<double> scores;
  std::vector<const float*> values;
  for (std::size_t i = 0; i < layer.list.size(); ++i) {
    if (!layer.sees[row][i]) continue;
    const std::size_t place = static_cast<std::size_t>(layer.list[i]) * layer.key_heads + key_head;
    const float* const key = &layer.key[place * layer.key_size];
    double score = 0;
    for (std::size_t d = 0; d < layer.key_size; ++d) score += double{query[d]} * double{key[d]};
    scores.push_back(score * static_cast<double>(layer.scale));
    values.push_back(&layer.value[place * layer.value_size]);
  }
  std::vector<double> out(layer.value_size);
  if (scores.empty()) return out;
  const double most = *std::ranges::max_element(scores);
  double total = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double weight = std::exp(scores[i] - most);
    total += weight;
    for (std::size_t at = 0; at < out.size(); ++at) out[at] += weight * double{values[i][at]};
  }
  for (double& number : out) number /= total;
  return out;
}

void expect_defined(AttentionKernel kernel, Layer& layer) {
  const std::size_t queries = layer.rows * layer.group;
  for (std::size_t head = 0; head < layer.key_heads; ++head) {
    for (std::size_t first = 0; first < queries; first += kAttentionQueriesMax) {
      kernel(
          layer.tensors(),
          layer.tile(),
          head,
          {first, std::min(kAttentionQueriesMax, queries - first)}
      );
    }
  }
  for (std::size_t row = 0; row < layer.rows; ++row) {
    for (std::size_t head = 0; head < layer.heads(); ++head) {
      const std::vector<double> expected = defined(layer, row, head);
      for (std::size_t i = 0; i < layer.value_size; ++i) {
        const double got = layer.out[(row * layer.heads() + head) * layer.value_size + i];
        ASSERT_NEAR(got, expected[i], 1e-4) << row << ' ' << head << ' ' << i;
      }
    }
  }
}

#if defined(__x86_64__)
struct Generation {
  const char* name;
  bool here;
  AttentionKernel kernel;
};

class AttentionKernelTest : public ::testing::TestWithParam<Generation> {
 protected:
  void SetUp() override {
    if (!GetParam().here) GTEST_SKIP() << "this processor has no " << GetParam().name;
  }
};

TEST_P(AttentionKernelTest, is_what_attention_is_defined_as) {
  std::mt19937 random(11);
  for (const std::size_t size : {16U, 32U, 64U, 80U, 128U, 256U, 576U}) {
    for (const std::size_t group : {1U, 2U, 3U, 4U, 5U, 7U}) {
      Layer layer = layer_of(random, 1 + random() % 5, group, size, 1 + random() % 700);
      ASSERT_NO_FATAL_FAILURE(expect_defined(GetParam().kernel, layer)) << size << ' ' << group;
    }
  }
}

TEST_P(AttentionKernelTest, stays_finite_where_scores_are_large) {
  std::mt19937 random(12);
  Layer layer = layer_of(random, 2, 3, 64, 600);
  for (float& value : layer.query) value *= 1e4F;
  expect_defined(GetParam().kernel, layer);
}

INSTANTIATE_TEST_SUITE_P(
    Generations,
    AttentionKernelTest,
    ::testing::Values(
        Generation{"avx512", __builtin_cpu_supports("avx512f") != 0, avx512::attend},
        Generation{"avx2", __builtin_cpu_supports("avx2") != 0, avx2::attend}
    ),
    [](const auto& generation) { return std::string(generation.param.name); }
);
#endif

using Logits = std::vector<float>;

// Three sequences that share a beginning, step by step in changing company: logits of every row.
std::vector<Logits> logits_with(
    std::map<std::string, std::string> parameters, std::size_t threads = 1
) {
  SequenceBackendOptions options;
  options.model_file =
      std::filesystem::path(::testing::TempDir()) / "cell_attention_test" / "model.gguf";
  testing::write_file(options.model_file, testing::tiny_gguf());
  options.model_name = "tiny";
  options.cells = 512;
  options.threads = threads;
  options.parameters = std::move(parameters);
  auto backend = LlamaEngine().load(options);
  EXPECT_TRUE(backend.ok()) << backend.status().to_string();
  if (!backend.ok()) return {};
  std::vector<Logits> out;
  const auto decode = [&](const std::vector<StepRow>& rows) {
    SequenceStep step;
    step.rows = rows;
    EXPECT_TRUE((*backend)->decode(step).ok());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto logits = (*backend)->logits(i);
      out.emplace_back(logits.begin(), logits.end());
    }
  };
  std::vector<StepRow> prompt;
  for (std::int32_t i = 0; i < 150; ++i) prompt.push_back({i % 90 + 3, i, 0, true});
  decode(prompt);
  (*backend)->share(0, 1, 0, 100);
  (*backend)->share(0, 2, 0, 140);
  for (std::int32_t i = 0; i < 12; ++i) {
    decode({{i + 5, 100 + i, 1, true}, {i + 9, 150 + i, 0, true}, {i + 20, 140 + i, 2, true}});
  }
  (*backend)->remove(0, 0, -1);
  decode({{7, 112, 1, true}, {8, 113, 1, true}, {9, 152, 2, true}});
  return out;
}

float furthest(const std::vector<Logits>& a, const std::vector<Logits>& b) {
  EXPECT_EQ(a.size(), b.size());
  float out = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    for (std::size_t t = 0; t < a[i].size(); ++t) out = std::max(out, std::abs(a[i][t] - b[i][t]));
  }
  return out;
}

// The yardstick rounds nothing to half floats.
TEST(CellAttention, is_no_further_from_exact_logits_than_the_library) {
  const auto exact =
      logits_with({{"flash_attention", "off"}, {"cache_type_k", "f32"}, {"cache_type_v", "f32"}});
  const float theirs = furthest(exact, logits_with({{"cell_attention", "0"}}));
  for (const std::size_t threads : {1U, 3U}) {
    const float ours = furthest(exact, logits_with({{"cell_attention", "1"}}, threads));
    EXPECT_LE(ours, theirs) << threads;
    EXPECT_LT(ours, 0.05F) << threads;
#if defined(__x86_64__)
    const bool expected = __builtin_cpu_supports("avx2") != 0;
    EXPECT_EQ(ours != theirs, expected) << "equal to the last bit: the library's own was computed";
#endif
  }
}

}  // namespace
}  // namespace cortex::backend
