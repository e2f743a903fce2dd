// SPDX-License-Identifier: Apache-2.0
// A model whose memory is one state for each sequence (Mamba).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

class Recurrent : public ::testing::Test {
 protected:
  using Tokens = std::vector<Token>;

  void SetUp() override {
    SequenceBackendOptions options;
    options.model_file = std::filesystem::path(::testing::TempDir()) / "recurrent_test.gguf";
    testing::write_file(options.model_file, testing::tiny_mamba_gguf());
    options.model_name = "tiny";
    options.cells = 512;
    auto backend = LlamaEngine().load(options);
    ASSERT_TRUE(backend.ok()) << backend.status().to_string();
    backend_ = std::move(*backend);
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
