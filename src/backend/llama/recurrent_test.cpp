// SPDX-License-Identifier: Apache-2.0
// A model whose memory is one state for each sequence (Mamba).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/detail/llama_backend.h"
#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

class Recurrent : public ::testing::Test {
 protected:
  using Tokens = std::vector<Token>;

  void SetUp() override {
    backend_ = load({}, 0);
    ASSERT_TRUE(backend_);
  }

  static std::unique_ptr<SequenceBackend> load(
      const testing::TinyGgufOptions& tiny, std::size_t sequences_max
  ) {
    SequenceBackendOptions options;
    options.model_file = std::filesystem::path(::testing::TempDir()) / "recurrent_test.gguf";
    testing::write_file(options.model_file, testing::tiny_mamba_gguf(tiny));
    options.model_name = "tiny";
    options.cells = 512;
    options.sequences_max = sequences_max;
    auto backend = LlamaEngine().load(options);
    EXPECT_TRUE(backend.ok()) << backend.status().to_string();
    return backend.ok() ? std::move(*backend) : nullptr;
  }

  [[nodiscard]] Tokens tokens_of(std::string_view text) const {
    return *backend_->vocabulary().tokenize(text, true, false);
  }

  // Computes tokens[from …] of a sequence that holds the ones before; the logits behind the last.
  std::vector<float> extend(SequenceId sequence, const Tokens& tokens, std::size_t from = 0) {
    std::vector<StepRow> rows;
    for (std::size_t i = from; i < tokens.size(); ++i) {
      const auto position = static_cast<std::int32_t>(i);
      rows.push_back({tokens[i], position, sequence, i + 1 == tokens.size()});
    }
    const Status status = backend_->decode({rows, nullptr, 1, {}});
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok()) return {};
    const auto out = backend_->logits(rows.size() - 1);
    return {out.begin(), out.end()};
  }

  std::vector<float> alone(const Tokens& tokens) {
    auto out = extend(7, tokens);
    backend_->remove(7, 0, -1);
    return out;
  }

  static float difference(const std::vector<float>& a, const std::vector<float>& b) {
    float out = a.size() == b.size() && !a.empty() ? 0.0F : 1e9F;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const float apart = std::abs(a[i] - b[i]);
      if (std::isnan(apart)) return apart;  // neither less nor more than anything
      out = std::max(out, apart);
    }
    return out;
  }

  std::unique_ptr<SequenceBackend> backend_;
};

TEST_F(Recurrent, is_known_by_its_memory) {
  EXPECT_FALSE(backend_->model().can_cut);
  EXPECT_EQ(backend_->model().architecture, "mamba");
  EXPECT_GT(backend_->model().bytes_per_cell, 0U);
}

// Two layers, each with 64 x 16 numbers of state and 64 x 3 of convolution.
constexpr std::size_t kTinyStateBytes = 2 * 64 * (16 + 3) * sizeof(float);

TEST_F(Recurrent, the_states_of_all_sequences_are_part_of_its_memory) {
  const SequenceModel& model = backend_->model();
  EXPECT_EQ(model.sequences_max, 32U);
  EXPECT_GE(model.bytes_per_sequence, kTinyStateBytes);
  EXPECT_LT(model.bytes_per_sequence, kTinyStateBytes + 512) << "what is around it in a saved one";
  const auto fewer = load({}, 3);
  ASSERT_TRUE(fewer);
  EXPECT_EQ(fewer->model().sequences_max, 3U);
  EXPECT_EQ(fewer->model().bytes_per_sequence, model.bytes_per_sequence);
  EXPECT_EQ(model.memory_bytes - fewer->model().memory_bytes, 29 * model.bytes_per_sequence);
}

TEST_F(Recurrent, every_sequence_that_there_is_has_a_state) {
  const Tokens tokens = tokens_of("one two");
  const auto expected = alone(tokens);
  const auto count = static_cast<SequenceId>(backend_->model().sequences_max);
  for (SequenceId id = 0; id < count; ++id) {
    EXPECT_LT(difference(expected, extend(id, tokens)), 0.0001F) << id;
  }
}

TEST(RecurrentStates, are_as_many_as_half_a_gigabyte_holds_unless_a_number_is_wanted) {
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  EXPECT_EQ(states_of_memory(0, 0), 32U);
  EXPECT_EQ(states_of_memory(0, kMebibyte), 32U);
  EXPECT_EQ(states_of_memory(0, 25 * kMebibyte), 20U);
  EXPECT_EQ(states_of_memory(0, 600 * kMebibyte), 8U);
  EXPECT_EQ(states_of_memory(1, 600 * kMebibyte), 1U);
  EXPECT_EQ(states_of_memory(100, 600 * kMebibyte), 100U);
}

TEST_F(Recurrent, what_was_said_before_counts) {
  EXPECT_GT(difference(alone(tokens_of("abcdefgh")), alone(tokens_of("xbcdefgh"))), 0.001F);
  EXPECT_LT(difference(alone(tokens_of("abcdefgh")), alone(tokens_of("abcdefgh"))), 0.0001F);
}

TEST_F(Recurrent, a_prompt_in_chunks_is_the_prompt) {
  const Tokens tokens = tokens_of("one two three");
  const auto whole = alone(tokens);
  std::vector<float> last;
  for (std::size_t end = 1; end <= tokens.size(); ++end) {
    last = extend(1, {tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(end)}, end - 1);
  }
  EXPECT_LT(difference(whole, last), 0.01F);
}

TEST_F(Recurrent, sequences_of_one_step_do_not_touch_each_other) {
  const Tokens one = tokens_of("one two");
  const Tokens other = tokens_of("red green blue");
  const auto alone_one = alone(one);
  const auto alone_other = alone(other);
  std::vector<StepRow> rows;
  for (std::size_t i = 0; i < one.size(); ++i) {
    rows.push_back({one[i], static_cast<std::int32_t>(i), 2, i + 1 == one.size()});
  }
  for (std::size_t i = 0; i < other.size(); ++i) {
    rows.push_back({other[i], static_cast<std::int32_t>(i), 5, i + 1 == other.size()});
  }
  ASSERT_TRUE(backend_->decode({rows, nullptr, 1, {}}).ok());
  const auto first = backend_->logits(one.size() - 1);
  EXPECT_LT(difference(alone_one, {first.begin(), first.end()}), 0.01F);
  const auto second = backend_->logits(rows.size() - 1);
  EXPECT_LT(difference(alone_other, {second.begin(), second.end()}), 0.01F);
}

TEST_F(Recurrent, an_id_that_was_left_begins_anew) {
  const Tokens tokens = tokens_of("one two");
  const auto expected = alone(tokens);
  extend(3, tokens_of("something that is longer"));
  backend_->remove(3, 0, -1);
  EXPECT_LT(difference(expected, extend(3, tokens)), 0.0001F);
}

TEST_F(Recurrent, a_saved_state_goes_on_in_any_sequence) {
  const Tokens prefix = tokens_of("to be or not");
  const Tokens whole = tokens_of("to be or not to be");
  const auto expected = alone(whole);
  extend(0, prefix);
  const auto state = backend_->save(0);
  ASSERT_TRUE(state.ok()) << state.status().to_string();
  backend_->remove(0, 0, -1);
  ASSERT_TRUE(backend_->restore(6, *state).ok());
  EXPECT_LT(difference(expected, extend(6, whole, prefix.size())), 0.01F);
}

}  // namespace
}  // namespace cortex::backend
