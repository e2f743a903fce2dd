// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/llama_engine.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/testing/detail/sequence_contract.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;

fs::path file_of(const std::string& bytes, const std::string& name = "model.gguf") {
  static int number = 0;
  const fs::path file =
      fs::path(::testing::TempDir()) / ("llama_engine_test_" + std::to_string(number++)) / name;
  testing::write_file(file, bytes);
  return file;
}

SequenceBackendOptions options_of(const std::string& bytes) {
  SequenceBackendOptions options;
  options.model_file = file_of(bytes);
  options.model_name = "tiny";
  options.cells = 512;
  return options;
}

}  // namespace

namespace testing {
INSTANTIATE_TEST_SUITE_P(
    Llama,
    SequenceContract,
    ::testing::Values(SequenceEngineUnderTest{
        [] { return std::make_unique<LlamaEngine>(); },
        options_of(tiny_gguf()),
        0.02F,
    })
);
}  // namespace testing

namespace {

class LlamaEngineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(engine_.open().ok()) << engine_.open().to_string(); }

  std::unique_ptr<SequenceBackend> load(const SequenceBackendOptions& options) {
    auto backend = engine_.load(options);
    EXPECT_TRUE(backend.ok()) << backend.status().to_string();
    return backend.ok() ? std::move(*backend) : nullptr;
  }
  std::unique_ptr<SequenceBackend> load() { return load(options_of(testing::tiny_gguf())); }

  // The logits behind a prompt in sequence 0, which is empty before and after.
  static std::vector<float> run(
      SequenceBackend& backend, const SequenceAdapter* adapter = nullptr, float scale = 1
  ) {
    const auto tokens = backend.vocabulary().tokenize("a prompt", true, false);
    std::vector<StepRow> rows;
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      rows.push_back({(*tokens)[i], static_cast<std::int32_t>(i), 0, i + 1 == tokens->size()});
    }
    SequenceStep step;
    step.rows = rows;
    step.adapter = adapter;
    step.adapter_scale = scale;
    const Status status = backend.decode(step);
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok()) return {};
    const auto logits = backend.logits(rows.size() - 1);
    std::vector<float> out(logits.begin(), logits.end());
    backend.remove(0, 0, -1);
    return out;
  }

  LlamaEngine engine_;
};

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  float most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const float apart = std::abs(a[i] - b[i]);
    if (std::isnan(apart)) return apart;  // neither less nor more than anything
    most = std::max(most, apart);
  }
  return most;
}

TEST_F(LlamaEngineTest, opens_its_library_with_the_first_model) {
  LlamaEngine lazy;
  EXPECT_EQ(lazy.version(), "");
  EXPECT_EQ(lazy.library(), "");
  ASSERT_TRUE(lazy.load(options_of(testing::tiny_gguf())).ok());
  EXPECT_NE(lazy.version(), "");
  EXPECT_NE(lazy.library().find("libllama"), std::string::npos);
}

TEST_F(LlamaEngineTest, says_why_there_is_no_library) {
  LlamaEngine engine(LlamaOptions{"/nowhere/libllama.so"});
  const Status status = engine.load(options_of(testing::tiny_gguf())).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.text().find("/nowhere/libllama.so"), std::string::npos) << status.text();
}

TEST_F(LlamaEngineTest, tells_what_the_file_says) {
  testing::TinyGgufOptions tiny;
  tiny.chat_template = "{{ messages }}";
  auto options = options_of(testing::tiny_gguf(tiny));
  options.cells = 300;
  const auto backend = load(options);
  ASSERT_TRUE(backend);
  const SequenceModel& model = backend->model();
  EXPECT_EQ(model.architecture, "llama");
  EXPECT_EQ(model.weights.architecture, "llama");
  EXPECT_EQ(model.weights.quantization, "F32");
  EXPECT_EQ(model.weights.width, 32u);
  EXPECT_GT(model.weights.parameters, 260u * 16);
  EXPECT_EQ(model.vocabulary_size, 260u);
  EXPECT_EQ(model.cells, 512u);  // the library takes steps of 256
  EXPECT_EQ(model.context_length, 512u);
  EXPECT_EQ(model.sequences_max, 256u);
  EXPECT_EQ(model.chat_template, "{{ messages }}");
  EXPECT_EQ(model.begin, 1);
  EXPECT_EQ(model.ends, std::vector<Token>{2});
  EXPECT_GE(model.bytes_per_cell, 2u * 2 * 16 * 2);  // layers, keys and values, width, two bytes
  EXPECT_GT(model.memory_bytes, 512u * model.bytes_per_cell);
}

TEST_F(LlamaEngineTest, puts_the_begin_token_in_front_where_it_was_asked_for) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto with = backend->vocabulary().tokenize("ab", true, false);
  const auto without = backend->vocabulary().tokenize("ab", false, false);
  ASSERT_TRUE(with.ok() && without.ok());
  ASSERT_EQ(with->size(), without->size() + 1);
  EXPECT_EQ(with->front(), 1);
}

TEST_F(LlamaEngineTest, a_context_that_was_asked_for_is_the_context) {
  auto options = options_of(testing::tiny_gguf());
  options.context_length = 100;
  EXPECT_EQ(load(options)->model().context_length, 100u);
  options.context_length = 4096;
  EXPECT_EQ(load(options)->model().context_length, 512u);  // no more than there are cells
}

TEST_F(LlamaEngineTest, every_id_can_hold_share_save_and_restore) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto alone = run(*backend);
  const auto tokens = *backend->vocabulary().tokenize("a prompt", true, false);
  const auto last = static_cast<std::int32_t>(tokens.size()) - 1;
  std::vector<StepRow> rows;
  for (std::int32_t i = 0; i < last; ++i) {
    rows.push_back({tokens[static_cast<std::size_t>(i)], i, 200, false});
  }
  SequenceStep step;
  step.rows = rows;
  ASSERT_TRUE(backend->decode(step).ok());
  backend->share(200, 255, 0, last);
  backend->remove(200, 0, -1);
  const auto state = backend->save(255);
  ASSERT_TRUE(state.ok()) << state.status().to_string();
  backend->remove(255, 0, -1);
  ASSERT_TRUE(backend->restore(254, *state).ok());
  const StepRow row{tokens.back(), last, 254, true};
  step.rows = {&row, 1};
  ASSERT_TRUE(backend->decode(step).ok());
  const auto logits = backend->logits(0);
  EXPECT_LT(difference(alone, {logits.begin(), logits.end()}), 0.02F);
}

// Their library would let parts go, and then gives the cells of the rest to others.
TEST_F(LlamaEngineTest, the_memory_of_sliding_windows_cannot_be_cut) {
  testing::TinyGgufOptions tiny;
  tiny.layers = 4;
  const auto backend = load(options_of(testing::tiny_window_gguf(tiny)));
  ASSERT_TRUE(backend);
  EXPECT_EQ(backend->model().architecture, "cohere2");
  EXPECT_FALSE(backend->model().can_cut);
  EXPECT_TRUE(load()->model().can_cut);
}

TEST_F(LlamaEngineTest, a_state_of_another_model_is_refused) {
  const auto one = load();
  testing::TinyGgufOptions tiny;
  tiny.seed = 7;
  const auto other = load(options_of(testing::tiny_gguf(tiny)));
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->model().digest, other->model().digest);
  const StepRow row{5, 0, 0, false};
  SequenceStep step;
  step.rows = {&row, 1};
  ASSERT_TRUE(one->decode(step).ok());
  EXPECT_EQ(other->restore(0, *one->save(0)).code(), Code::kInvalidArgument);
}

TEST_F(LlamaEngineTest, an_adapter_changes_answers_and_nothing_stays_of_it) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto first = backend->load_adapter(file_of(testing::tiny_adapter_gguf({}, 2), "a.gguf"));
  const auto second = backend->load_adapter(file_of(testing::tiny_adapter_gguf({}, 3), "b.gguf"));
  ASSERT_TRUE(first.ok() && second.ok()) << first.status().text() << second.status().text();
  EXPECT_GT((*first)->memory_bytes(), 0u);
  const auto base = run(*backend);
  const auto one = run(*backend, first->get());
  EXPECT_GT(difference(base, one), 0.01F);
  EXPECT_GT(difference(one, run(*backend, second->get())), 0.01F);
  EXPECT_GT(difference(one, run(*backend, first->get(), 0.25F)), 0.001F);
  EXPECT_LT(difference(one, run(*backend, first->get())), 0.001F);
  EXPECT_LT(difference(base, run(*backend, first->get(), 0)), 0.001F);
  EXPECT_LT(difference(base, run(*backend)), 0.001F);
}

TEST_F(LlamaEngineTest, an_adapter_may_go_and_come_again) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const fs::path file = file_of(testing::tiny_adapter_gguf(), "adapter.gguf");
  const auto base = run(*backend);
  std::vector<float> with;
  for (int i = 0; i < 5; ++i) {
    const auto adapter = backend->load_adapter(file);
    ASSERT_TRUE(adapter.ok());
    const auto now = run(*backend, adapter->get());
    if (i == 0) with = now;
    EXPECT_LT(difference(with, now), 0.001F);
    EXPECT_GT(difference(base, now), 0.01F);
  }
  EXPECT_LT(difference(base, run(*backend)), 0.001F);
}

TEST_F(LlamaEngineTest, what_is_no_adapter_of_the_model_is_refused_with_the_reason) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  testing::TinyGgufOptions wide;
  wide.width = 64;
  for (const auto& bytes :
       {testing::tiny_gguf(),
        testing::tiny_adapter_gguf(wide),
        std::string("nothing"),
        std::string()}) {
    const auto adapter = backend->load_adapter(file_of(bytes, "adapter.gguf"));
    EXPECT_EQ(adapter.status().code(), Code::kInvalidArgument);
    EXPECT_NE(adapter.status().text().find("adapter.gguf: "), std::string::npos);
  }
}

TEST_F(LlamaEngineTest, files_that_are_no_models_are_refused) {
  const std::string whole = testing::tiny_gguf();
  std::vector<std::string> broken = {
      "",
      "GGUF",
      "not a model at all",
      whole.substr(0, 100),
      whole.substr(0, whole.size() / 2),
      whole.substr(0, whole.size() - 1000)
  };
  std::string other = whole;
  other.replace(other.find("llama.block_count"), 17, "llama.bloCk_count");
  broken.push_back(other);
  other = whole;
  other.replace(other.find("blk.1.ffn_up"), 12, "blk.1.ffn_uq");
  broken.push_back(other);
  other = whole;
  other.replace(other.find("general.architecture") + 32, 5, "lLaMa");
  broken.push_back(other);
  for (const std::string& bytes : broken) {
    const auto backend = engine_.load(options_of(bytes));
    EXPECT_EQ(backend.status().code(), Code::kInvalidArgument);
    EXPECT_NE(backend.status().text().find("tiny"), std::string::npos);
    EXPECT_GT(backend.status().text().size(), 40u) << backend.status().text();
  }
}

TEST_F(LlamaEngineTest, a_folder_without_the_file_is_named) {
  SequenceBackendOptions options;
  options.model_file = "/nowhere/1/model.gguf";
  options.model_name = "gone";
  const Status status = engine_.load(options).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.text().find("model.gguf"), std::string::npos);
}

TEST_F(LlamaEngineTest, parameters_are_checked) {
  auto options = options_of(testing::tiny_gguf());
  options.parameters["cache_type_k"] = "int3";
  EXPECT_EQ(engine_.load(options).status().code(), Code::kInvalidArgument);
}

TEST_F(LlamaEngineTest, threads_of_its_own_come_and_go_with_the_model) {
  auto options = options_of(testing::tiny_gguf());
  const auto one = run(*load(options));
  options.threads = 2;
  EXPECT_LT(difference(one, run(*load(options))), 0.01F);
}

// Every sampler that there is draws something that is allowed.
TEST_F(LlamaEngineTest, every_setting_of_the_sampler_draws) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto logits = run(*backend);
  std::vector<SamplingSettings> all(12);
  all[1].top_k = 3;
  all[2].top_p = 0.1F;
  all[3].min_p = 0.9F;
  all[4].typical_p = 0.2F;
  all[5].xtc_probability = 1;
  all[5].xtc_threshold = 0.001F;
  all[6].mirostat = 1;
  all[7].mirostat = 2;
  all[8].dry_multiplier = 1;
  all[9].repeat_penalty = 1.5F;
  all[10].frequency_penalty = 1;
  all[11].temperature = 0;
  std::vector<std::uint32_t> allowed((logits.size() + 31) / 32, 0);
  allowed[1] = allowed[3] = 0xFFFF'FFFF;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto sampler = backend->make_sampler(all[i], 5);
    for (int draw = 0; draw < 20; ++draw) {
      const auto token = sampler->sample(logits, {allowed, {}});
      ASSERT_TRUE(token.ok()) << i << " " << token.status().to_string();
      EXPECT_TRUE(token->token / 32 == 1 || token->token / 32 == 3) << i;
      sampler->accept(token->token);
    }
  }
}

TEST_F(LlamaEngineTest, cuts_leave_only_the_likeliest) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto logits = run(*backend);
  const auto best = static_cast<Token>(std::ranges::max_element(logits) - logits.begin());
  std::vector<SamplingSettings> all(3);
  all[0].top_k = 1;
  all[1].top_p = 0.0001F;
  all[2].min_p = 1;
  for (SamplingSettings& settings : all) {
    settings.temperature = 2;
    const auto sampler = backend->make_sampler(settings, 9);
    for (int draw = 0; draw < 10; ++draw) EXPECT_EQ(sampler->sample(logits, {})->token, best);
  }
}

// How often each token was drawn.
std::map<Token, int> draws_of(
    const SequenceBackend& backend,
    const SamplingSettings& settings,
    const std::vector<float>& logits,
    int draws
) {
  const auto sampler = backend.make_sampler(settings, 3);
  std::map<Token, int> out;
  for (int draw = 0; draw < draws; ++draw) {
    const auto token = sampler->sample(logits, {});
    EXPECT_TRUE(token.ok()) << token.status().to_string();
    if (token.ok()) ++out[token->token];
  }
  return out;
}

// The first tokens have these probabilities, all others almost none.
std::vector<float> logits_with(const std::vector<float>& probabilities, std::size_t vocabulary) {
  std::vector<float> out(vocabulary, -30);
  std::ranges::transform(probabilities, out.begin(), [](float one) { return std::log(one); });
  return out;
}

TEST_F(LlamaEngineTest, typical_p_leaves_out_a_token_that_says_too_little) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto logits =
      logits_with({0.4F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F}, backend->model().vocabulary_size);
  SamplingSettings settings;
  EXPECT_GT(draws_of(*backend, settings, logits, 100)[0], 20);
  settings.typical_p = 0.5F;
  auto typical = draws_of(*backend, settings, logits, 100);
  EXPECT_EQ(typical[0], 0);
  for (Token token = 1; token <= 6; ++token) EXPECT_GT(typical[token], 0) << token;
}

TEST_F(LlamaEngineTest, xtc_leaves_out_all_but_the_last_of_the_likely) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  const auto logits = logits_with({0.5F, 0.3F, 0.15F, 0.05F}, backend->model().vocabulary_size);
  SamplingSettings settings;
  settings.xtc_threshold = 0.1F;
  EXPECT_GT(draws_of(*backend, settings, logits, 100)[0], 20);
  settings.xtc_probability = 1;
  auto always = draws_of(*backend, settings, logits, 100);
  EXPECT_EQ(always[0] + always[1], 0);
  EXPECT_GT(always[2], 50);
  EXPECT_GT(always[3], 0);
  settings.xtc_probability = 0.5F;
  auto sometimes = draws_of(*backend, settings, logits, 100);
  EXPECT_GT(sometimes[0], 5);
  EXPECT_GT(sometimes[2], always[2] / 3);
}

TEST_F(LlamaEngineTest, mirostat_draws_as_surprisingly_as_it_is_told) {
  const auto backend = load();
  ASSERT_TRUE(backend);
  std::vector<float> logits(backend->model().vocabulary_size);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = -0.5F * static_cast<float>(i);
  for (const std::int32_t version : {1, 2}) {
    SamplingSettings settings;
    settings.mirostat = version;
    settings.mirostat_tau = 0.1F;
    EXPECT_EQ(draws_of(*backend, settings, logits, 20)[0], 20) << version;
    settings.mirostat_tau = 10;
    EXPECT_GT(draws_of(*backend, settings, logits, 20).size(), 3U) << version;
    // Both go on until what is drawn is as surprising as it was asked for.
    settings.mirostat_tau = 0.1F;
    settings.mirostat_eta = 10;
    EXPECT_GT(draws_of(*backend, settings, logits, 100).size(), 1U) << version;
  }
}

}  // namespace
}  // namespace cortex::backend
