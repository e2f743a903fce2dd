// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/sequence_backend.h"

// What every engine for language models keeps, as one suite. An engine's test includes this header
// once and instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Llama, SequenceContract,
//   ::testing::Values(SequenceEngineUnderTest{…}));
namespace cortex::backend::testing {

struct SequenceEngineUnderTest {
  std::function<std::unique_ptr<SequenceEngine>()> make_engine;
  // How to load a model of at least 64 tokens of context, 8 sequences and 32 rows of a step, which
  // can cut; few cells, for the test that fills them.
  SequenceBackendOptions options;
  // What a logit may differ by when the same tokens are computed in another step.
  float epsilon = 0;
};

class SequenceContract : public ::testing::TestWithParam<SequenceEngineUnderTest> {
 protected:
  using Tokens = std::vector<Token>;
  using Logits = std::vector<float>;

  void SetUp() override {
    engine_ = GetParam().make_engine();
    auto backend = engine_->load(GetParam().options);
    ASSERT_TRUE(backend.ok()) << backend.status().to_string();
    backend_ = std::move(*backend);
  }

  [[nodiscard]] Tokens tokens_of(std::string_view text) const {
    auto out = backend_->vocabulary().tokenize(text, false, false);
    EXPECT_TRUE(out.ok()) << out.status().to_string();
    return out.ok() ? *out : Tokens{};
  }

  static void append_rows(
      std::vector<StepRow>& rows, SequenceId sequence, const Tokens& tokens, std::size_t from
  ) {
    for (std::size_t i = from; i < tokens.size(); ++i) {
      rows.push_back({tokens[i], static_cast<std::int32_t>(i), sequence, i + 1 == tokens.size()});
    }
  }

  Status decode(const std::vector<StepRow>& rows) {
    return backend_->decode({rows, nullptr, 1, {}});
  }

  Logits logits_of(std::size_t row) {
    const auto out = backend_->logits(row);
    EXPECT_EQ(out.size(), backend_->model().vocabulary_size);
    return {out.begin(), out.end()};
  }

  // Computes tokens[from …] of `sequence`, which holds the ones before; the logits behind the last.
  Logits extend(SequenceId sequence, const Tokens& tokens, std::size_t from = 0) {
    std::vector<StepRow> rows;
    append_rows(rows, sequence, tokens, from);
    const Status status = decode(rows);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return status.ok() ? logits_of(rows.size() - 1) : Logits{};
  }

  // The same in a memory that holds nothing else.
  Logits alone(const Tokens& tokens) {
    for (std::size_t id = 0; id < backend_->model().sequences_max; ++id) {
      backend_->remove(static_cast<SequenceId>(id), 0, -1);
    }
    Logits out = extend(0, tokens);
    backend_->remove(0, 0, -1);
    return out;
  }

  void expect_alike(const Logits& a, const Logits& b) const {
    ASSERT_EQ(a.size(), b.size());
    ASSERT_FALSE(a.empty());
    float most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_FALSE(std::isnan(a[i]) || std::isnan(b[i])) << i;
      most = std::max(most, std::abs(a[i] - b[i]));
    }
    EXPECT_LE(most, GetParam().epsilon);
  }

  static Tokens joined(const Tokens& a, const Tokens& b) {
    Tokens out = a;
    out.insert(out.end(), b.begin(), b.end());
    return out;
  }

  std::unique_ptr<SequenceEngine> engine_;
  std::unique_ptr<SequenceBackend> backend_;
};

inline float probability_sum(const std::vector<TokenLogprob>& top) {
  float sum = 0;
  for (const TokenLogprob& entry : top) sum += std::exp(entry.logprob);
  return sum;
}

inline Token likeliest(std::span<const float> logits) {
  return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

TEST_P(SequenceContract, says_what_the_model_is) {
  const SequenceModel& model = backend_->model();
  EXPECT_FALSE(model.architecture.empty());
  EXPECT_FALSE(model.digest.empty());
  EXPECT_GT(model.vocabulary_size, 0u);
  EXPECT_GE(model.context_length, 64u);
  EXPECT_GE(model.cells, 64u);
  EXPECT_GE(model.sequences_max, 8u);
  EXPECT_GE(model.step_rows_max, 32u);
  EXPECT_GT(model.bytes_per_cell, 0u);
  EXPECT_GT(model.memory_bytes, 0u);
  EXPECT_TRUE(model.can_cut);
  ASSERT_FALSE(model.ends.empty());
  for (const Token end : model.ends) EXPECT_TRUE(backend_->vocabulary().is_end(end));
}

TEST_P(SequenceContract, text_becomes_tokens_and_the_same_text_again) {
  for (const std::string text :
       {"hello", " a  b\n\nc ", "Grüße, 世界 \xF0\x9F\x8C\x8D", "<x> {\"a\": 1}"}) {
    const Tokens tokens = tokens_of(text);
    std::string back;
    for (const Token token : tokens) back += backend_->vocabulary().piece(token, true);
    EXPECT_EQ(back, text);
  }
  EXPECT_TRUE(tokens_of("").empty());
  const auto broken = backend_->vocabulary().tokenize("\xFF\xFE", false, false);
  EXPECT_EQ(broken.status().code(), Code::kInvalidArgument);
}

TEST_P(SequenceContract, special_text_is_special_only_where_it_was_asked_for) {
  const Token end = backend_->model().ends.front();
  const std::string text = backend_->vocabulary().piece(end, true);
  ASSERT_FALSE(text.empty());
  EXPECT_EQ(backend_->vocabulary().piece(end, false), "");
  const auto special = backend_->vocabulary().tokenize(text, false, true);
  ASSERT_TRUE(special.ok());
  EXPECT_EQ(*special, Tokens{end});
  const Tokens plain = tokens_of(text);
  EXPECT_EQ(std::find(plain.begin(), plain.end(), end), plain.end());
}

TEST_P(SequenceContract, other_tokens_have_other_logits) {
  const Logits one = alone(tokens_of("the cat sat on"));
  const Logits other = alone(tokens_of("the dog sat on"));
  expect_alike(one, alone(tokens_of("the cat sat on")));
  float most = 0;
  for (std::size_t i = 0; i < one.size(); ++i) most = std::max(most, std::abs(one[i] - other[i]));
  EXPECT_GT(most, GetParam().epsilon);
}

TEST_P(SequenceContract, a_prompt_in_chunks_is_the_prompt) {
  const Tokens tokens = tokens_of("one two three four");
  const Logits whole = alone(tokens);
  for (std::size_t end = 1; end <= tokens.size(); ++end) {
    const Tokens part(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(end));
    const Logits last = extend(1, part, end - 1);
    if (end == tokens.size()) expect_alike(whole, last);
  }
}

TEST_P(SequenceContract, sequences_of_one_step_do_not_touch_each_other) {
  const Tokens a = tokens_of("one two");
  const Tokens b = tokens_of("red green blue");
  const Logits alone_a = alone(a);
  const Logits alone_b = alone(b);
  std::vector<StepRow> rows;
  append_rows(rows, 2, a, 0);
  append_rows(rows, 5, b, 0);
  ASSERT_TRUE(decode(rows).ok());
  expect_alike(alone_a, logits_of(a.size() - 1));
  expect_alike(alone_b, logits_of(rows.size() - 1));
}

TEST_P(SequenceContract, a_shared_prefix_is_as_one_computed_again) {
  const Tokens prefix = tokens_of("once upon a time");
  const Tokens left = joined(prefix, tokens_of(" there"));
  const Tokens right = joined(prefix, tokens_of(" nobody"));
  const Logits alone_left = alone(left);
  const Logits alone_right = alone(right);
  extend(0, prefix);
  const auto end = static_cast<std::int32_t>(prefix.size());
  backend_->share(0, 1, 0, end);
  backend_->share(0, 2, 0, end);
  backend_->remove(0, 0, -1);
  expect_alike(alone_left, extend(1, left, prefix.size()));
  expect_alike(alone_right, extend(2, right, prefix.size()));
}

TEST_P(SequenceContract, spans_of_several_holders_make_a_prefix) {
  const Tokens prefix = tokens_of("a b c d e f g h");
  const Tokens whole = joined(prefix, tokens_of(" i"));
  const Logits expected = alone(whole);
  extend(0, prefix);
  const auto end = static_cast<std::int32_t>(prefix.size());
  const std::int32_t middle = end / 2;
  backend_->share(0, 3, 0, end);
  backend_->remove(0, 0, -1);
  backend_->share(3, 4, middle, end);  // a node is split
  backend_->remove(3, middle, end);
  backend_->share(3, 1, 0, middle);
  backend_->share(4, 1, middle, end);
  backend_->remove(3, 0, -1);
  backend_->remove(4, 0, -1);
  expect_alike(expected, extend(1, whole, prefix.size()));
}

TEST_P(SequenceContract, what_was_cut_off_leaves_no_trace) {
  const Tokens prefix = tokens_of("the sun is");
  const Tokens good = joined(prefix, tokens_of(" warm"));
  const Logits expected = alone(good);
  extend(0, joined(prefix, tokens_of(" cold today")));
  backend_->remove(0, static_cast<std::int32_t>(prefix.size()), -1);
  expect_alike(expected, extend(0, good, prefix.size()));
}

TEST_P(SequenceContract, a_saved_state_goes_on_in_any_sequence) {
  const Tokens prefix = tokens_of("to be or not");
  const Tokens whole = joined(prefix, tokens_of(" to be"));
  const Logits expected = alone(whole);
  extend(0, prefix);
  const auto state = backend_->save(0);
  ASSERT_TRUE(state.ok()) << state.status().to_string();
  backend_->remove(0, 0, -1);
  extend(0, tokens_of("something else"));
  for (const SequenceId id : {3, 6}) {
    const Status status = backend_->restore(id, *state);
    ASSERT_TRUE(status.ok()) << status.to_string();
    expect_alike(expected, extend(id, whole, prefix.size()));
  }
}

TEST_P(SequenceContract, parts_of_a_sequence_are_saved_one_by_one_and_go_on_as_one) {
  const Tokens prefix = tokens_of("to be or not to be that is");
  const Tokens whole = joined(prefix, tokens_of(" the"));
  const Logits expected = alone(whole);
  const auto end = static_cast<std::int32_t>(prefix.size());
  const std::int32_t middle = end / 2;
  extend(0, prefix);
  std::vector<std::vector<std::byte>> parts;
  for (const auto& [from, to] : {std::pair(0, middle), std::pair(middle, end)}) {
    backend_->share(0, 5, from, to);
    auto saved = backend_->save(5);
    ASSERT_TRUE(saved.ok()) << saved.status().to_string();
    parts.push_back(*std::move(saved));
    backend_->remove(5, 0, -1);
  }
  backend_->remove(0, 0, -1);
  extend(0, tokens_of("something else"));
  for (const auto& [part, from, to] : {std::tuple(0, 0, middle), std::tuple(1, middle, end)}) {
    const Status status = backend_->restore(5, parts[static_cast<std::size_t>(part)]);
    ASSERT_TRUE(status.ok()) << status.to_string();
    backend_->share(5, 3, from, to);
    backend_->remove(5, 0, -1);
  }
  expect_alike(expected, extend(3, whole, prefix.size()));
}

TEST_P(SequenceContract, bytes_that_are_no_state_are_refused_and_leave_the_sequence_empty) {
  const Tokens tokens = tokens_of("one two three");
  const Logits expected = alone(tokens);
  extend(0, tokens);
  const auto state = backend_->save(0);
  ASSERT_TRUE(state.ok());
  const std::vector<std::byte> foreign(state->size(), std::byte{'x'});
  const std::span<const std::byte> whole(*state);
  for (const auto bytes :
       {whole.first(0),
        whole.first(7),
        whole.first(whole.size() / 2),
        whole.first(whole.size() - 1),
        std::span<const std::byte>(foreign)}) {
    EXPECT_EQ(backend_->restore(1, bytes).code(), Code::kInvalidArgument) << bytes.size();
    expect_alike(expected, extend(1, tokens));
    backend_->remove(1, 0, -1);
  }
}

TEST_P(SequenceContract, a_full_memory_refuses_a_step_and_nothing_happened) {
  const SequenceModel& model = backend_->model();
  const Tokens kept = tokens_of("keep me");
  const Tokens more = joined(kept, tokens_of("!"));
  const Logits expected = alone(more);
  extend(0, kept);
  std::size_t used = kept.size();
  SequenceId filler = 1;
  while (used < model.cells) {
    ASSERT_LT(static_cast<std::size_t>(filler), model.sequences_max) << "the test needs less cells";
    const std::size_t rows =
        std::min({model.cells - used, model.step_rows_max, model.context_length});
    extend(filler++, Tokens(rows, kept.front()));
    used += rows;
  }
  std::vector<StepRow> rows;
  append_rows(rows, 0, more, kept.size());
  EXPECT_EQ(decode(rows).code(), Code::kResourceExhausted);
  backend_->remove(1, 0, -1);
  expect_alike(expected, extend(0, more, kept.size()));
}

TEST_P(SequenceContract, an_aborted_step_is_cancelled_and_can_be_cleaned_up) {
  const Tokens tokens = tokens_of("a step that nobody waits for");
  const Logits expected = alone(tokens);
  std::vector<StepRow> rows;
  append_rows(rows, 0, tokens, 0);
  SequenceStep step;
  step.rows = rows;
  step.abort = [] { return true; };
  EXPECT_EQ(backend_->decode(step).code(), Code::kCancelled);
  backend_->remove(0, 0, -1);
  expect_alike(expected, extend(0, tokens));
}

TEST_P(SequenceContract, logits_are_given_for_every_row_that_asked) {
  const Tokens tokens = tokens_of("a b c d");
  std::vector<StepRow> rows;
  append_rows(rows, 0, tokens, 0);
  for (StepRow& row : rows) row.output = true;
  ASSERT_TRUE(decode(rows).ok());
  std::vector<Logits> all;
  for (std::size_t i = 0; i < rows.size(); ++i) all.push_back(logits_of(i));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Tokens part(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    expect_alike(alone(part), all[i]);
  }
}

TEST_P(SequenceContract, a_sampler_without_temperature_takes_the_likeliest) {
  const Logits logits = alone(tokens_of("hello"));
  SamplingSettings settings;
  settings.temperature = 0;
  const auto sampler = backend_->make_sampler(settings, 1);
  const auto drawn = sampler->sample(logits, {{}, 3});
  ASSERT_TRUE(drawn.ok());
  EXPECT_EQ(drawn->token, likeliest(logits));
  ASSERT_EQ(drawn->top.size(), 3u);
  EXPECT_EQ(drawn->top[0].token, drawn->token);
  EXPECT_FLOAT_EQ(drawn->top[0].logprob, drawn->logprob);
  EXPECT_GE(drawn->top[0].logprob, drawn->top[1].logprob);
  EXPECT_GE(drawn->top[1].logprob, drawn->top[2].logprob);
}

TEST_P(SequenceContract, log_probabilities_are_those_of_the_model) {
  const Logits logits = alone(tokens_of("hello"));
  SamplingSettings settings;
  settings.temperature = 2;
  settings.top_k = 1;
  const auto drawn = backend_->make_sampler(settings, 1)->sample(logits, {{}, logits.size()});
  ASSERT_TRUE(drawn.ok());
  EXPECT_NEAR(probability_sum(drawn->top), 1, 0.01);
  const float first = logits[static_cast<std::size_t>(drawn->top[0].token)];
  const float second = logits[static_cast<std::size_t>(drawn->top[1].token)];
  EXPECT_NEAR(drawn->top[0].logprob - drawn->top[1].logprob, first - second, 1e-3);
}

TEST_P(SequenceContract, draws_follow_their_seed) {
  const Logits logits = alone(tokens_of("hello"));
  SamplingSettings settings;
  settings.temperature = 2;
  const auto draws = [&](std::uint64_t seed) {
    const auto sampler = backend_->make_sampler(settings, seed);
    Tokens out;
    for (int i = 0; i < 24; ++i) out.push_back(sampler->sample(logits, {})->token);
    return out;
  };
  EXPECT_EQ(draws(7), draws(7));
  EXPECT_NE(draws(7), draws(8));
}

TEST_P(SequenceContract, only_what_is_allowed_is_drawn) {
  const Logits logits = alone(tokens_of("hello"));
  std::vector<std::uint32_t> allowed((logits.size() + 31) / 32, 0);
  for (const float temperature : {0.0F, 1.0F}) {
    SamplingSettings settings;
    settings.temperature = temperature;
    const auto sampler = backend_->make_sampler(settings, 1);
    std::fill(allowed.begin(), allowed.end(), 0);
    EXPECT_EQ(sampler->sample(logits, {allowed, {}}).status().code(), Code::kFailedPrecondition);
    for (const Token token : {5, 40}) {
      std::fill(allowed.begin(), allowed.end(), 0);
      allowed[static_cast<std::size_t>(token) / 32] = 1U << (static_cast<unsigned>(token) % 32U);
      const auto drawn = sampler->sample(logits, {allowed, {}});
      ASSERT_TRUE(drawn.ok()) << drawn.status().to_string();
      EXPECT_EQ(drawn->token, token);
    }
  }
}

TEST_P(SequenceContract, bias_forbids_and_forces) {
  const Logits logits = alone(tokens_of("hello"));
  SamplingSettings settings;
  settings.temperature = 0;
  settings.logit_bias = {{likeliest(logits), -100.0F}};
  EXPECT_NE(backend_->make_sampler(settings, 1)->sample(logits, {})->token, likeliest(logits));
  settings.logit_bias = {{33, 100.0F}};
  EXPECT_EQ(backend_->make_sampler(settings, 1)->sample(logits, {})->token, 33);
}

}  // namespace cortex::backend::testing
