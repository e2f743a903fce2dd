// SPDX-License-Identifier: Apache-2.0
// Adapters' files that the library takes and that end the process, in loading or in the first step:
// each is refused, and the model goes on.
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/llama/detail/gguf_head.h"
#include "backend/llama/detail/llama_library.h"
#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;
using testing::GgufWriter;
using ::testing::HasSubstr;
using Shape = std::vector<std::uint64_t>;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint64_t kVocabulary = 260;

fs::path adapter_test_file(const std::string& bytes, const std::string& name) {
  static int number = 0;
  const fs::path file =
      fs::path(::testing::TempDir()) / ("adapter_file_test_" + std::to_string(number++)) / name;
  testing::write_file(file, bytes);
  return file;
}

void add_lora_facts(GgufWriter& out, float alpha = 2) {
  out.add("general.type", "adapter");
  out.add("general.architecture", "llama");
  out.add("adapter.type", "lora");
  out.add("adapter.lora.alpha", alpha);
}

std::uint64_t product(const Shape& shape) {
  std::uint64_t out = 1;
  for (const std::uint64_t side : shape) out *= side;
  return out;
}

// Every number the same; another type's bytes are those of floats.
void add_filled(
    GgufWriter& out,
    const std::string& name,
    const Shape& shape,
    float value,
    std::uint32_t type = kF32
) {
  const std::vector<float> values(product(shape) * 2, value);
  out.add_tensor(
      name,
      shape,
      type,
      {reinterpret_cast<const char*>(values.data()),
       product(shape) * (type == kF32 ? sizeof(float) : 2 * sizeof(float))}
  );
}

void add_lora(
    GgufWriter& out, const std::string& name, const Shape& a, const Shape& b, float value = 0.1F
) {
  add_filled(out, name + ".lora_a", a, value);
  add_filled(out, name + ".lora_b", b, value);
}

class AdapterFile : public ::testing::Test {
 protected:
  std::unique_ptr<SequenceBackend> load(const testing::TinyGgufOptions& tiny = {}) {
    SequenceBackendOptions options;
    options.model_file = adapter_test_file(testing::tiny_gguf(tiny), "model.gguf");
    options.model_name = "tiny";
    options.cells = 512;
    auto backend = engine_.load(options);
    EXPECT_TRUE(backend.ok()) << backend.status().to_string();
    return backend.ok() ? std::move(*backend) : nullptr;
  }

  static Result<std::shared_ptr<const SequenceAdapter>> adapter_of(
      SequenceBackend& backend, const GgufWriter& file
  ) {
    return backend.load_adapter(adapter_test_file(file.bytes(), "adapter.gguf"));
  }

  // The logits behind a prompt in `sequence`, which is empty before and after.
  static std::vector<float> run(
      SequenceBackend& backend, const SequenceAdapter* adapter = nullptr, SequenceId sequence = 0
  ) {
    const auto tokens = backend.vocabulary().tokenize("a prompt", true, false);
    std::vector<StepRow> rows;
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      const auto position = static_cast<std::int32_t>(i);
      rows.push_back({(*tokens)[i], position, sequence, i + 1 == tokens->size()});
    }
    SequenceStep step;
    step.rows = rows;
    step.adapter = adapter;
    const Status status = backend.decode(step);
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok()) return {};
    const auto logits = backend.logits(rows.size() - 1);
    return {logits.begin(), logits.end()};
  }
  static std::vector<float> run_alone(
      SequenceBackend& backend, const SequenceAdapter* adapter = nullptr
  ) {
    auto out = run(backend, adapter);
    backend.remove(0, 0, -1);
    return out;
  }

  LlamaEngine engine_;
};

float most_apart(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float out = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const float apart = std::abs(a[i] - b[i]);
    if (std::isnan(apart)) return std::numeric_limits<float>::infinity();
    out = std::max(out, apart);
  }
  return out;
}

bool all_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

struct Hostile {
  std::string what;
  std::function<void(GgufWriter&)> write;
  const char* says;
};

const std::string kQuery = "blk.0.attn_q.weight";

std::vector<Hostile> hostile_tensors() {
  std::vector<Hostile> out;
  for (const auto& [type, name] : std::vector<std::pair<std::uint32_t, std::string>>{
           {24, "I8"}, {25, "I16"}, {26, "I32"}, {27, "I64"}, {28, "F64"}, {9, "Q8_1"}, {15, "Q8_K"}
       }) {
    out.push_back(
        {name,
         [type](GgufWriter& file) {
           add_filled(file, kQuery + ".lora_a", {32, 32}, 1, type);
           add_filled(file, kQuery + ".lora_b", {32, 32}, 1);
         },
         "cannot be multiplied"}
    );
  }
  const auto pair = [&](const char* what,
                        const std::string& name,
                        const Shape& a,
                        const Shape& b,
                        const char* says) {
    out.push_back({what, [=](GgufWriter& file) { add_lora(file, name, a, b); }, says});
  };
  pair("layers", kQuery, {32, 2, 2}, {2, 32, 2}, "other layers");
  pair("layers of the second", kQuery, {32, 2}, {2, 32, 3}, "other layers");
  pair("a fourth side", kQuery, {32, 2, 1, 2}, {2, 32}, "other layers");
  pair("no layers", kQuery, {32, 2, 0}, {2, 32}, "side of 0");
  pair("no rank", kQuery, {32, 0}, {0, 32}, "side of 0");
  pair("the last matrix", "token_embd.weight", {2, kVocabulary}, {2, 32}, "last matrix");
  pair("two ranks", "token_embd.weight", {2, kVocabulary}, {4, 32}, "last matrix");
  out.push_back(
      {"far too large",
       [](GgufWriter& file) {
         add_filled(file, kQuery + ".lora_b", {2, 32}, 1);
         file.add_tensor(kQuery + ".lora_a", {32, 1ULL << 50}, kF32, "");
       },
       "elements"}
  );
  out.push_back(
      {"cut off",
       [](GgufWriter& file) {
         add_filled(file, kQuery + ".lora_b", {2, 32}, 1);
         file.add_tensor(kQuery + ".lora_a", {32, 2}, kF32, "1234");
       },
       "behind the file's end"}
  );
  return out;
}

TEST_F(AdapterFile, hostile_tensors_are_refused_and_the_model_goes_on) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  for (const Hostile& hostile : hostile_tensors()) {
    GgufWriter file;
    add_lora_facts(file);
    hostile.write(file);
    const auto adapter = adapter_of(*backend, file);
    EXPECT_EQ(adapter.status().code(), Code::kInvalidArgument) << hostile.what;
    EXPECT_THAT(adapter.status().text(), HasSubstr("adapter.gguf: ")) << hostile.what;
    EXPECT_THAT(adapter.status().text(), HasSubstr(hostile.says)) << hostile.what;
    EXPECT_LT(most_apart(base, run_alone(*backend)), 0.001F) << hostile.what;
  }
}

TEST_F(AdapterFile, hostile_facts_are_refused_and_the_model_goes_on) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  for (const std::string key : {"general.type", "general.architecture", "adapter.type"}) {
    for (const bool list : {false, true}) {
      GgufWriter file;
      for (const char* other : {"general.type", "general.architecture", "adapter.type"}) {
        if (key != other) file.add(other, "adapter");
      }
      if (list) file.add(key, std::vector<std::string>{});
      if (!list) file.add(key, 1.0F);
      add_lora(file, kQuery, {32, 2}, {2, 32});
      EXPECT_EQ(adapter_of(*backend, file).status().code(), Code::kInvalidArgument) << key;
    }
  }
  GgufWriter file;
  add_lora_facts(file, std::numeric_limits<float>::quiet_NaN());
  add_lora(file, kQuery, {32, 2}, {2, 32});
  EXPECT_THAT(adapter_of(*backend, file).status().text(), HasSubstr("alpha"));
  EXPECT_LT(most_apart(base, run_alone(*backend)), 0.001F);
}

TEST_F(AdapterFile, an_embedding_of_two_ranks_is_refused_where_the_last_matrix_is_another) {
  testing::TinyGgufOptions tiny;
  tiny.own_output = true;
  const auto backend = load(tiny);
  ASSERT_TRUE(backend);
  GgufWriter file;
  add_lora_facts(file);
  add_lora(file, "token_embd.weight", {2, kVocabulary}, {4, 32});
  EXPECT_THAT(adapter_of(*backend, file).status().text(), HasSubstr("one rank"));
  EXPECT_TRUE(all_finite(run_alone(*backend)));
}

// Also what says how many bytes a block of each type has: the library compares.
TEST_F(AdapterFile, every_type_that_is_taken_can_be_multiplied) {
  struct Type {
    std::uint32_t number;
    std::uint64_t block;
    std::uint64_t block_bytes;
  };
  testing::TinyGgufOptions wide;
  wide.width = 256;
  wide.layers = 1;
  const auto backend = load(wide);
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  for (const Type& type :
       std::vector<Type>{{0, 1, 4},      {1, 1, 2},      {2, 32, 18},    {3, 32, 20},
                         {6, 32, 22},    {7, 32, 24},    {8, 32, 34},    {10, 256, 84},
                         {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210},
                         {16, 256, 66},  {17, 256, 74},  {18, 256, 98},  {19, 256, 50},
                         {20, 32, 18},   {21, 256, 110}, {22, 256, 82},  {23, 256, 136},
                         {29, 256, 56},  {30, 1, 2},     {34, 256, 54},  {35, 256, 66},
                         {39, 32, 17},   {40, 64, 36},   {41, 128, 18},  {42, 64, 18}}) {
    GgufWriter file;
    add_lora_facts(file);
    // As a float of 16 bits these are 0.05: every scale is a number.
    const std::string numbers(256 * 256 / type.block * type.block_bytes, '\x2A');
    file.add_tensor(kQuery + ".lora_a", {256, 256}, type.number, numbers);
    file.add_tensor(kQuery + ".lora_b", {256, 256}, type.number, numbers);
    const auto adapter = adapter_of(*backend, file);
    ASSERT_TRUE(adapter.ok()) << type.number << " " << adapter.status().to_string();
    EXPECT_TRUE(all_finite(run_alone(*backend, adapter->get()))) << type.number;
  }
  EXPECT_LT(most_apart(base, run_alone(*backend)), 0.001F);
}

TEST_F(AdapterFile, every_matrix_of_a_model_can_be_adapted_at_once) {
  testing::TinyGgufOptions tiny;
  tiny.own_output = true;
  const auto backend = load(tiny);
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  GgufWriter file;
  add_lora_facts(file);
  add_lora(file, "token_embd.weight", {3, kVocabulary}, {3, 32});
  add_lora(file, "output.weight", {32, 3}, {3, kVocabulary});
  for (const std::string block : {"blk.0.", "blk.1."}) {
    for (const char* name : {"attn_q", "attn_output"}) {
      add_lora(file, block + name + ".weight", {32, 4}, {4, 32});
    }
    for (const char* name : {"attn_k", "attn_v"}) {
      add_lora(file, block + name + ".weight", {32, 4}, {4, 16});
    }
    for (const char* name : {"ffn_gate", "ffn_up"}) {
      add_lora(file, block + name + ".weight", {32, 4}, {4, 64});
    }
    add_lora(file, block + "ffn_down.weight", {64, 4}, {4, 32});
  }
  const auto adapter = adapter_of(*backend, file);
  ASSERT_TRUE(adapter.ok()) << adapter.status().to_string();
  for (int i = 0; i < 3; ++i) {
    const auto with = run_alone(*backend, adapter->get());
    EXPECT_TRUE(all_finite(with));
    EXPECT_GT(most_apart(base, with), 0.01F);
    EXPECT_LT(most_apart(base, run_alone(*backend)), 0.001F);
  }
}

TEST_F(AdapterFile, an_embedding_is_adapted_where_the_last_matrix_is_another) {
  testing::TinyGgufOptions tiny;
  tiny.own_output = true;
  const auto backend = load(tiny);
  ASSERT_TRUE(backend);
  GgufWriter file;
  add_lora_facts(file);
  add_lora(file, "token_embd.weight", {2, kVocabulary}, {2, 32});
  const auto adapter = adapter_of(*backend, file);
  ASSERT_TRUE(adapter.ok()) << adapter.status().to_string();
  EXPECT_GT(most_apart(run_alone(*backend), run_alone(*backend, adapter->get())), 0.01F);
}

TEST_F(AdapterFile, a_model_of_several_files_has_the_tensors_of_all_of_them) {
  const auto library = LlamaLibrary::open({});
  ASSERT_TRUE(library.ok()) << library.status().to_string();
  const fs::path folder = fs::path(::testing::TempDir()) / "adapter_file_test_parts";
  for (const std::string part : {"1", "2", "3"}) {
    GgufWriter file;
    file.add("general.architecture", "llama");
    add_filled(file, "t" + part, {8, 2}, 1);
    testing::write_file(folder / ("m-0000" + part + "-of-00003.gguf"), file.bytes());
  }
  const auto tensors = read_gguf_tensors((*library)->api(), folder / "m-00001-of-00003.gguf");
  ASSERT_TRUE(tensors.ok()) << tensors.status().to_string();
  EXPECT_EQ(tensors->size(), 3U);
  ASSERT_TRUE(tensors->contains("t3"));
  EXPECT_EQ(tensors->at("t3").sides, (std::array<std::uint64_t, 4>{8, 2, 1, 1}));
}

TEST_F(AdapterFile, numbers_that_are_not_finite_are_refused_and_the_model_goes_on) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    GgufWriter file;
    add_lora_facts(file);
    add_lora(file, "blk.0.attn_k.weight", {32, 2}, {2, 16});
    add_lora(file, kQuery, {32, 2}, {2, 32}, value);
    const Status status = adapter_of(*backend, file).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << value;
    EXPECT_THAT(status.text(), HasSubstr("'blk.0.attn_q.weight.lora_a' has a number")) << value;
  }
  EXPECT_LT(most_apart(base, run_alone(*backend)), 0.001F);
}

// No check of a file finds all of them: weights are numbers, and what is computed with them none.
TEST_F(AdapterFile, numbers_that_are_none_end_their_own_sequence_alone) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto base = run_alone(*backend);
  GgufWriter file;
  add_lora_facts(file);
  add_lora(file, kQuery, {32, 2}, {2, 32}, 3e38F);
  add_lora(file, "blk.0.attn_k.weight", {32, 2}, {2, 16}, 3e38F);
  add_lora(file, "blk.0.attn_v.weight", {32, 2}, {2, 16}, 3e38F);
  const auto adapter = adapter_of(*backend, file);
  ASSERT_TRUE(adapter.ok()) << adapter.status().to_string();
  EXPECT_FALSE(all_finite(run(*backend, adapter->get(), 3)));
  // Beside it in memory, and in the cells that it leaves behind.
  EXPECT_LT(most_apart(base, run(*backend, nullptr, 4)), 0.001F);
  backend->remove(3, 0, -1);
  backend->remove(4, 0, -1);
  EXPECT_LT(most_apart(base, run(*backend, nullptr, 4)), 0.001F);
}

TEST_F(AdapterFile, no_sampler_draws_from_numbers_that_are_none) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  std::vector<SamplingSettings> all(8);
  all[1].temperature = 0;
  all[2].top_k = 3;
  all[3].typical_p = 0.5F;
  all[4].mirostat = 1;
  all[5].mirostat = 2;
  all[6].xtc_probability = 1;
  all[7].temperature = 0;
  all[7].repeat_penalty = 1.5F;
  const auto base = run_alone(*backend);
  for (const SamplingSettings& settings : all) {
    const auto sampler = backend->make_sampler(settings, 1);
    EXPECT_TRUE(sampler->sample(base, {{}, 3}).ok());
    for (const std::size_t step : {1U, 3U, 259U}) {
      auto logits = base;
      for (std::size_t i = 0; i < logits.size(); i += step) logits[i] = NAN;
      const auto drawn = sampler->sample(logits, {{}, 3});
      EXPECT_EQ(drawn.status().code(), Code::kFailedPrecondition) << drawn.status().to_string();
    }
  }
}

}  // namespace
}  // namespace cortex::backend
