// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "backend/testing/detail/sequence_contract.h"

// The demo model, as real as a language model gets in a hundred megabytes.
namespace cortex::backend {
namespace {

SequenceBackendOptions smollm2() {
  SequenceBackendOptions options;
  options.model_file = std::filesystem::path(CORTEX_MODELS) / "smollm2" / "1" / "model.gguf";
  options.model_name = "smollm2";
  options.cells = 1024;
  options.context_length = 512;
  return options;
}

}  // namespace

namespace testing {
// Kernels may differ with the number of rows of a step, so the same tokens need not be the same
// numbers; teacher_forced_logits… below prints by how much they are not on this machine.
INSTANTIATE_TEST_SUITE_P(
    SmolLm2,
    SequenceContract,
    ::testing::Values(SequenceEngineUnderTest{
        [] { return std::make_unique<LlamaEngine>(); }, smollm2(), 0.05F
    })
);
}  // namespace testing

namespace {

using Logits = std::vector<float>;

// How far logits of the same tokens may lie apart that were computed in other company; a token
// whose lead is more than twice as much is the same token (docs/language-models.md).
constexpr float kEpsilon = 0.05F;

class SmolLm2Test : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto backend = LlamaEngine().load(smollm2());
    ASSERT_TRUE(backend.ok()) << backend.status().to_string();
    backend_ = std::move(*backend);
  }
  static void TearDownTestSuite() { backend_.reset(); }

  static std::vector<Token> tokens_of(std::string_view text, bool special = false) {
    return *backend_->vocabulary().tokenize(text, true, special);
  }

  // Logits behind every token from `from` on of `sequence`, in steps of `rows` rows.
  static std::vector<Logits> run(
      SequenceId sequence, const std::vector<Token>& tokens, std::size_t from, std::size_t rows
  ) {
    return run_on(*backend_, sequence, tokens, from, rows);
  }

  static std::vector<Logits> run_on(
      SequenceBackend& backend,
      SequenceId sequence,
      const std::vector<Token>& tokens,
      std::size_t from,
      std::size_t rows
  ) {
    std::vector<Logits> out;
    for (std::size_t at = from; at < tokens.size(); at += rows) {
      std::vector<StepRow> step_rows;
      for (std::size_t i = at; i < std::min(at + rows, tokens.size()); ++i) {
        step_rows.push_back({tokens[i], static_cast<std::int32_t>(i), sequence, true});
      }
      SequenceStep step;
      step.rows = step_rows;
      EXPECT_TRUE(backend.decode(step).ok());
      for (std::size_t i = 0; i < step_rows.size(); ++i) {
        const auto logits = backend.logits(i);
        out.emplace_back(logits.begin(), logits.end());
      }
    }
    return out;
  }

  static std::unique_ptr<SequenceBackend> backend_;
};

std::unique_ptr<SequenceBackend> SmolLm2Test::backend_;

float furthest(const std::vector<Logits>& a, const std::vector<Logits>& b) {
  float most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    for (std::size_t t = 0; t < a[i].size(); ++t)
      most = std::max(most, std::abs(a[i][t] - b[i][t]));
  }
  return most;
}

// Wherever the best token is ahead of the second by more than both may move, it is the same token.
std::size_t other_choices(
    const std::vector<Logits>& a, const std::vector<Logits>& b, float epsilon
) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const auto best = std::ranges::max_element(a[i]) - a[i].begin();
    Logits others = a[i];
    others[static_cast<std::size_t>(best)] = -1e9F;
    const float margin = a[i][static_cast<std::size_t>(best)] - *std::ranges::max_element(others);
    const auto theirs = std::ranges::max_element(b[i]) - b[i].begin();
    if (margin > 2 * epsilon && theirs != best) ++out;
  }
  return out;
}

TEST_F(SmolLm2Test, teacher_forced_logits_do_not_depend_on_how_they_came) {
  const auto tokens = tokens_of(
      "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun until the "
      "evening "
      "comes and the owl begins to call from the old tree behind the house."
  );
  const auto half = static_cast<std::int32_t>(tokens.size() / 2);
  const auto alone = run(0, tokens, 0, 1);
  backend_->remove(0, 0, -1);

  const auto batched = run(1, tokens, 0, tokens.size());
  backend_->share(1, 2, 0, half);
  backend_->remove(1, 0, -1);
  const auto shared = run(2, tokens, static_cast<std::size_t>(half), 1);
  backend_->remove(2, half, -1);
  const auto state = backend_->save(2);
  ASSERT_TRUE(state.ok());
  backend_->remove(2, 0, -1);
  ASSERT_TRUE(backend_->restore(3, *state).ok());
  const auto restored = run(3, tokens, static_cast<std::size_t>(half), 1);
  backend_->remove(3, 0, -1);

  const std::vector<Logits> second(alone.begin() + half, alone.end());
  std::printf(
      "epsilon over %zu positions: batched %.4f, shared prefix %.4f, restored %.4f; a state is "
      "%zu bytes for each token\n",
      alone.size(),
      furthest(alone, batched),
      furthest(second, shared),
      furthest(shared, restored),
      state->size() / static_cast<std::size_t>(half)
  );
  EXPECT_LT(furthest(alone, batched), kEpsilon);
  EXPECT_LT(furthest(second, shared), kEpsilon);
  EXPECT_EQ(furthest(shared, restored), 0);  // the same numbers, computed the same way
  EXPECT_EQ(other_choices(alone, batched, kEpsilon), 0u);
  EXPECT_EQ(other_choices(second, shared, kEpsilon), 0u);
}

TEST_F(SmolLm2Test, teacher_forced_logits_do_not_depend_on_the_neighbours_of_a_step) {
  std::vector<std::vector<Token>> texts = {
      tokens_of("The quick brown fox jumps over the lazy dog, and then it sleeps in the sun."),
      tokens_of("def add(a, b):\n    return a + b\n\ndef sub(a, b):\n    return a - b\n"),
      tokens_of("Interest rates rose by half a percent in the third quarter of the year.")
  };
  std::size_t length = 512;
  for (const auto& tokens : texts) length = std::min(length, tokens.size());
  std::vector<std::vector<Logits>> alone;
  for (auto& tokens : texts) {
    tokens.resize(length);
    alone.push_back(run(0, tokens, 0, 1));
    backend_->remove(0, 0, -1);
  }
  std::vector<std::vector<Logits>> together(texts.size());
  for (std::size_t at = 0; at < length; ++at) {
    std::vector<StepRow> rows;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto sequence = static_cast<SequenceId>(i + 1);
      rows.push_back({texts[i][at], static_cast<std::int32_t>(at), sequence, true});
    }
    SequenceStep step;
    step.rows = rows;
    ASSERT_TRUE(backend_->decode(step).ok());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto logits = backend_->logits(i);
      together[i].emplace_back(logits.begin(), logits.end());
    }
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    backend_->remove(static_cast<SequenceId>(i + 1), 0, -1);
    std::printf("epsilon beside neighbours: %.4f\n", furthest(alone[i], together[i]));
    EXPECT_LT(furthest(alone[i], together[i]), kEpsilon);
    EXPECT_EQ(other_choices(alone[i], together[i], kEpsilon), 0u);
  }
}

TEST_F(SmolLm2Test, teacher_forced_logits_are_the_same_behind_a_state_of_another_process) {
  const auto tokens = tokens_of(
      "And then it sleeps in the sun until the evening comes and the owl begins to call from the "
      "old tree behind the house, where nobody has lived for many years."
  );
  const auto half = tokens.size() / 2;
  const auto before = run(0, tokens, 0, 1);
  backend_->remove(0, static_cast<std::int32_t>(half), -1);
  const auto state = backend_->save(0);
  ASSERT_TRUE(state.ok()) << state.status().to_string();
  backend_->remove(0, 0, -1);

  auto fresh = LlamaEngine().load(smollm2());
  ASSERT_TRUE(fresh.ok()) << fresh.status().to_string();
  EXPECT_EQ((*fresh)->model().digest, backend_->model().digest);
  ASSERT_TRUE((*fresh)->restore(5, *state).ok());
  const auto after = run_on(**fresh, 5, tokens, half, 1);
  const auto from = before.begin() + static_cast<std::ptrdiff_t>(half);
  const std::vector<Logits> second(from, before.end());
  EXPECT_LT(furthest(second, after), kEpsilon);
  EXPECT_EQ(other_choices(second, after, kEpsilon), 0u);
}

TEST_F(SmolLm2Test, answers_in_english) {
  const auto prompt = tokens_of(
      "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n", true
  );
  std::vector<Token> tokens = prompt;
  SamplingSettings settings;
  settings.temperature = 0;
  const auto sampler = backend_->make_sampler(settings, 1);
  std::string text;
  std::size_t from = 0;
  for (int i = 0; i < 24; ++i) {
    const auto logits = run(7, tokens, from, 512).back();
    const auto drawn = sampler->sample(logits, {});
    ASSERT_TRUE(drawn.ok());
    if (backend_->vocabulary().is_end(drawn->token)) break;
    text += backend_->vocabulary().piece(drawn->token, false);
    from = tokens.size();
    tokens.push_back(drawn->token);
  }
  backend_->remove(7, 0, -1);
  EXPECT_NE(text.find("Paris"), std::string::npos) << text;
}

TEST_F(SmolLm2Test, carries_its_chat_template) {
  EXPECT_NE(backend_->model().chat_template.find("<|im_start|>"), std::string::npos);
  EXPECT_TRUE(backend_->model().can_cut);
  EXPECT_EQ(backend_->vocabulary().piece(backend_->model().ends.front(), true), "<|im_end|>");
}

// The same file as a model for texts: a vector for each, of length 1.
class SmolLm2TextTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    TextModelOptions options;
    options.model_file = smollm2().model_file;
    options.model_name = "smollm2";
    options.pooling = Pooling::kMean;
    options.context_length = 512;
    options.batch_size_max = 8;
    auto model = LlamaEngine().load_text(options);
    ASSERT_TRUE(model.ok()) << model.status().to_string();
    model_ = std::move(*model);
  }
  static void TearDownTestSuite() { model_ = {}; }

  static std::vector<Logits> vectors(const std::vector<std::string>& texts) {
    std::vector<std::vector<std::int64_t>> rows;
    std::size_t length = 0;
    for (const std::string& text : texts) {
      rows.push_back(model_.tokenizer->encode(text, {})->ids);
      length = std::max(length, rows.back().size());
    }
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> mask;
    for (auto& row : rows) {
      mask.insert(mask.end(), row.size(), 1);
      row.resize(length, 0);
      ids.insert(ids.end(), row.begin(), row.end());
      mask.resize(ids.size(), 0);
    }
    const Shape shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(length)};
    TensorRun run;
    run.inputs = {tensor_of("input_ids", shape, ids), tensor_of("attention_mask", shape, mask)};
    std::vector<Tensor> outputs;
    const Status status = model_.backend->run(run, outputs);
    EXPECT_TRUE(status.ok()) << status.to_string();
    std::vector<Logits> out;
    for (std::size_t i = 0; status.ok() && i < rows.size(); ++i) {
      const std::size_t width = outputs[0].as<float>().size() / rows.size();
      const auto row = outputs[0].as<float>().subspan(i * width, width);
      float square = 0;
      for (const float value : row) square += value * value;
      out.emplace_back(row.begin(), row.end());
      for (float& value : out.back()) value /= std::sqrt(square);
    }
    return out;
  }

  static float likeness(const Logits& a, const Logits& b) {
    float out = 0;
    for (std::size_t i = 0; i < a.size(); ++i) out += a[i] * b[i];
    return out;
  }

  static TextModel model_;
};

TextModel SmolLm2TextTest::model_;

TEST_F(SmolLm2TextTest, is_no_model_for_texts_unless_it_is_told_so) {
  EXPECT_FALSE(*LlamaEngine().takes_texts_alone(smollm2().model_file));
}

TEST_F(SmolLm2TextTest, texts_of_one_kind_are_closer_than_others) {
  const auto all = vectors(
      {"The cat sleeps on the warm sofa in the living room.",
       "A kitten is napping on the soft couch in the house.",
       "Interest rates rose by half a percent in the third quarter of the year."}
  );
  ASSERT_EQ(all.size(), 3u);
  EXPECT_GT(likeness(all[0], all[1]), likeness(all[0], all[2]) + 0.02F);
  EXPECT_GT(likeness(all[0], all[1]), likeness(all[1], all[2]) + 0.02F);
}

TEST_F(SmolLm2TextTest, a_batch_gives_what_its_texts_give_alone) {
  const std::vector<std::string> texts = {
      "short",
      "The quick brown fox jumps over the lazy dog.",
      "def add(a, b):\n    return a + b\n",
      "And then it sleeps in the sun until the evening comes and the owl begins to call from the "
      "old tree behind the house, where nobody has lived for many years."
  };
  const auto together = vectors(texts);
  ASSERT_EQ(together.size(), texts.size());
  std::vector<Logits> alone;
  for (const std::string& text : texts) alone.push_back(vectors({text}).front());
  std::printf("epsilon of vectors of length 1: batched %.6f\n", furthest(alone, together));
  EXPECT_LT(furthest(alone, together), 1e-4F);
}

TEST_F(SmolLm2TextTest, a_client_that_leaves_ends_the_run) {
  const Shape shape = {8, 500};
  TensorRun run;
  run.inputs = {
      tensor_of("input_ids", shape, std::vector<std::int64_t>(4000, 100)),
      tensor_of("attention_mask", shape, std::vector<std::int64_t>(4000, 1))
  };
  std::atomic<bool> left{false};
  run.cancel = &left;
  std::thread client([&] { left = true; });
  std::vector<Tensor> outputs;
  EXPECT_EQ(model_.backend->run(run, outputs).code(), Code::kCancelled);
  client.join();
  EXPECT_EQ(vectors({"and it goes on"}).size(), 1u);
}

}  // namespace
}  // namespace cortex::backend
