// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/synthetic_sequences.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "backend/testing/detail/sequence_contract.h"

namespace cortex::backend {
namespace testing {
INSTANTIATE_TEST_SUITE_P(
    Synthetic,
    SequenceContract,
    ::testing::Values(SequenceEngineUnderTest{
        [] { return std::make_unique<SyntheticSequenceEngine>(); },
        [] {
          SequenceBackendOptions options;
          options.context_length = 64;
          options.cells = 128;
          options.parameters["part_rows"] = "5";
          return options;
        }(),
        0,
    })
);
}  // namespace testing

namespace {

using SequenceKeys = SyntheticSequences::Keys;

std::unique_ptr<SyntheticSequences> sequences(
    const SequenceKeys& keys, SyntheticOptions options = {}
) {
  auto backend = SyntheticSequences::make(keys, std::move(options));
  CHECK(backend.ok(), backend.status().to_string().c_str());
  return std::move(*backend);
}

std::vector<StepRow> rows_of(std::string_view text, SequenceId sequence, std::int32_t from = 0) {
  std::vector<StepRow> out;
  for (const char c : text) {
    out.push_back({static_cast<unsigned char>(c), from++, sequence, false});
  }
  if (!out.empty()) out.back().output = true;
  return out;
}

std::vector<float> logits_behind(
    SequenceBackend& backend,
    std::string_view text,
    const SequenceAdapter* adapter = nullptr,
    float scale = 1
) {
  const auto rows = rows_of(text, 0);
  const Status status = backend.decode({rows, adapter, scale, {}});
  EXPECT_TRUE(status.ok()) << status.to_string();
  const auto logits = backend.logits(rows.size() - 1);
  backend.remove(0, 0, -1);
  return {logits.begin(), logits.end()};
}

// Greedy, up to the model's end or `tokens_max` tokens.
std::string reply_to(SequenceBackend& backend, std::string_view prompt, std::size_t tokens_max) {
  const Vocabulary& vocabulary = backend.vocabulary();
  const auto tokens = *vocabulary.tokenize(prompt, false, true);
  std::vector<StepRow> rows;
  rows.reserve(tokens.size());
  for (const Token token : tokens) {
    rows.push_back({token, static_cast<std::int32_t>(rows.size()), 0, false});
  }
  std::string out;
  for (std::size_t i = 0; i < tokens_max; ++i) {
    rows.back().output = true;
    EXPECT_TRUE(backend.decode({rows, nullptr, 1, {}}).ok());
    const Token next = testing::likeliest(backend.logits(rows.size() - 1));
    if (vocabulary.is_end(next)) return out + "<end>";
    out += vocabulary.piece(next, true);
    rows = {{next, rows.back().position + 1, 0, true}};
  }
  return out;
}

std::filesystem::path adapter_file(const std::string& name, const std::string& text) {
  const auto file = std::filesystem::path(::testing::TempDir()) / name;
  std::ofstream(file) << text;
  return file;
}

TEST(SyntheticSequences, says_the_last_users_message_once_more) {
  const auto backend = sequences({{"reply", "script"}});
  const std::string prompt =
      "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nfirst<|im_end|>\n"
      "<|im_start|>assistant\nfirst<|im_end|>\n<|im_start|>user\nGrüße\nan alle<|im_end|>\n"
      "<|im_start|>assistant\n";
  EXPECT_EQ(reply_to(*backend, prompt, 100), "Grüße\nan alle<end>");
}

TEST(SyntheticSequences, says_the_answer_it_was_told) {
  auto backend = sequences({{"reply", "script"}, {"answer", "You said '{}'.\\nBye"}});
  EXPECT_EQ(
      reply_to(*backend, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", 100),
      "You said 'hi'.\nBye<end>"
  );
  backend = sequences({{"reply", "script"}, {"answer", "and they lived"}});
  EXPECT_EQ(reply_to(*backend, "Once, ", 100), "and they lived<end>");
}

TEST(SyntheticSequences, says_printable_text_of_its_own_weights) {
  const auto backend = sequences({});
  const std::string text = reply_to(*backend, "hello", 40);
  EXPECT_EQ(text.size(), 40u);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~') << text;
  EXPECT_NE(text, reply_to(*sequences({{"weights", "1"}}), "hello", 40));
  EXPECT_GT(std::set<char>(text.begin(), text.end()).size(), 8u);
}

TEST(SyntheticSequences, ends_after_about_as_many_tokens_as_told) {
  const std::string text = reply_to(*sequences({{"end_every", "4"}}), "hello", 200);
  EXPECT_TRUE(text.ends_with("<end>")) << text;
}

TEST(SyntheticSequences, cells_remember_the_adapter_that_computed_them) {
  const auto backend = sequences({});
  const auto a = backend->load_adapter(adapter_file("a.lora", "synthetic adapter\nA\n"));
  const auto b = backend->load_adapter(adapter_file("b.lora", "synthetic adapter\nB\n"));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_GT((*a)->memory_bytes(), 0u);
  const std::set<std::vector<float>> different = {
      logits_behind(*backend, "hello"),
      logits_behind(*backend, "hello", a->get()),
      logits_behind(*backend, "hello", a->get(), 0.5F),
      logits_behind(*backend, "hello", b->get()),
  };
  EXPECT_EQ(different.size(), 4u);
  const auto prefix = rows_of("hell", 0);
  ASSERT_TRUE(backend->decode({prefix, a->get(), 1, {}}).ok());
  const auto rest = rows_of("o", 0, 4);
  ASSERT_TRUE(backend->decode({rest, nullptr, 1, {}}).ok());
  const auto mixed = backend->logits(0);
  EXPECT_FALSE(different.contains(std::vector<float>(mixed.begin(), mixed.end())));
}

TEST(SyntheticSequences, refuses_a_file_that_is_no_adapter) {
  const auto status =
      sequences({})->load_adapter(adapter_file("c.lora", "something else")).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
}

TEST(SyntheticSequences, counts_a_shared_cell_once_and_frees_it_with_its_last_sequence) {
  const auto backend = sequences({});
  const auto rows = rows_of("0123456789", 0);
  ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
  backend->share(0, 1, 0, 10);
  backend->share(0, 2, 4, 7);
  EXPECT_EQ(backend->counts().cells_used, 10u);
  EXPECT_EQ(backend->tokens_of(2), (std::vector<Token>{'4', '5', '6'}));
  backend->remove(0, 0, -1);
  backend->remove(1, 5, 10);
  EXPECT_EQ(backend->counts().cells_used, 7u);
  backend->remove(1, 0, -1);
  EXPECT_EQ(backend->counts().cells_used, 3u);
  backend->remove(2, 0, -1);
  EXPECT_EQ(backend->counts().cells_used, 0u);
  EXPECT_EQ(backend->counts().tokens, 10u);
  EXPECT_EQ(backend->counts().steps, 1u);
}

TEST(SyntheticSequences, a_mistake_of_the_caller_ends_the_process) {
  const auto backend = sequences({{"sequences_max", "2"}, {"step_rows_max", "20"}});
  const auto rows = rows_of("abc", 0);
  ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
  const auto again = rows_of("x", 0, 2);
  const auto behind = rows_of("x", 0, 4);
  const auto nobody = rows_of("x", 2);
  const auto much = rows_of(std::string(21, 'x'), 1);
  EXPECT_DEATH(static_cast<void>(backend->decode({again, nullptr, 1, {}})), "go up by one");
  EXPECT_DEATH(static_cast<void>(backend->decode({behind, nullptr, 1, {}})), "go up by one");
  EXPECT_DEATH(static_cast<void>(backend->decode({nobody, nullptr, 1, {}})), "id of the model");
  EXPECT_DEATH(static_cast<void>(backend->decode({much, nullptr, 1, {}})), "as a step takes");
  EXPECT_DEATH(backend->share(0, 1, 0, 4), "what is shared is there");
  backend->share(0, 1, 1, 2);
  EXPECT_DEATH(backend->share(0, 1, 0, 3), "held once");
  const auto more = rows_of("x", 1, 2);
  EXPECT_DEATH(static_cast<void>(backend->decode({more, nullptr, 1, {}})), "every position from 0");
  EXPECT_DEATH(static_cast<void>(backend->logits(0)), "output row");
}

TEST(SyntheticSequences, what_cannot_be_cut_is_shared_and_removed_whole) {
  const auto backend = sequences({{"can_cut", "false"}});
  EXPECT_FALSE(backend->model().can_cut);
  const auto rows = rows_of("abc", 0);
  ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
  backend->share(0, 1, 0, 3);
  EXPECT_DEATH(backend->share(0, 2, 0, 2), "only whole sequences");
  EXPECT_DEATH(backend->remove(0, 1, -1), "only whole sequences");
  backend->remove(0, 0, -1);
  EXPECT_EQ(backend->counts().cells_used, 3u);
}

TEST(SyntheticSequences, takes_the_time_it_was_told_to) {
  std::vector<std::int64_t> waited;
  const auto backend = sequences(
      {{"step_us", "100"}, {"row_us", "10"}, {"cell_ns", "1000"}, {"part_rows", "2"}},
      {[&](Duration takes) {
        waited.push_back(std::chrono::duration_cast<std::chrono::microseconds>(takes).count());
      }}
  );
  const auto rows = rows_of("abc", 0);
  ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
  EXPECT_EQ(waited, (std::vector<std::int64_t>{100 + 2 * 10 + 1 + 2, 10 + 3}));
}

TEST(SyntheticSequences, asks_between_parts_whether_to_abort) {
  const auto backend = sequences({{"part_rows", "2"}});
  const auto rows = rows_of("abcdefg", 0);
  int asked = 0;
  const Status status = backend->decode({rows, nullptr, 1, [&] { return ++asked == 3; }});
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(backend->tokens_of(0).size(), 4u);
}

TEST(SyntheticSequences, fails_the_steps_it_was_told) {
  for (const auto& [code, stored] : std::initializer_list<std::pair<const char*, std::size_t>>{
           {"internal", 2}, {"cancelled", 2}, {"resource_exhausted", 0}
       }) {
    const auto backend = sequences({{"fail_at", "2"}, {"fail_rows", "2"}, {"fail_code", code}});
    const auto rows = rows_of("abc", 0);
    ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
    const auto failing = rows_of("abc", 1);
    EXPECT_FALSE(backend->decode({failing, nullptr, 1, {}}).ok());
    EXPECT_EQ(backend->tokens_of(1).size(), stored) << code;
    backend->remove(1, 0, -1);
    EXPECT_TRUE(backend->decode({failing, nullptr, 1, {}}).ok());
  }
}

TEST(SyntheticSequences, a_changed_byte_of_a_state_is_found) {
  const auto backend = sequences({});
  const auto rows = rows_of("ab", 0);
  ASSERT_TRUE(backend->decode({rows, nullptr, 1, {}}).ok());
  auto state = *backend->save(0);
  for (std::byte& byte : state) {
    byte ^= std::byte{4};
    EXPECT_EQ(backend->restore(1, state).code(), Code::kInvalidArgument);
    byte ^= std::byte{4};
  }
  EXPECT_TRUE(backend->restore(1, state).ok());
  EXPECT_EQ(sequences({{"weights", "1"}})->restore(1, state).code(), Code::kInvalidArgument);
  EXPECT_EQ(sequences({{"cells", "1"}})->restore(1, state).code(), Code::kResourceExhausted);
}

TEST(SyntheticSequences, cuts_the_tail_of_unlikely_tokens) {
  const auto backend = sequences({});
  std::vector<float> logits(260, 0);
  logits['a'] = 10;
  logits['b'] = 9.5F;
  const auto drawn = [&](const SamplingSettings& settings) {
    std::set<Token> out;
    const auto sampler = backend->make_sampler(settings, 3);
    for (int i = 0; i < 200; ++i) out.insert(sampler->sample(logits, {})->token);
    return out;
  };
  SamplingSettings settings;
  settings.temperature = 2;
  EXPECT_GT(drawn(settings).size(), 2u);
  settings.top_k = 2;
  EXPECT_EQ(drawn(settings), (std::set<Token>{'a', 'b'}));
  settings.top_k = 0;
  settings.top_p = 0.9F;
  EXPECT_EQ(drawn(settings), (std::set<Token>{'a', 'b'}));
  settings.top_p = 1;
  settings.min_p = 0.5F;
  EXPECT_EQ(drawn(settings), (std::set<Token>{'a', 'b'}));
  settings.min_p = 0.9F;
  EXPECT_EQ(drawn(settings), std::set<Token>{'a'});
}

TEST(SyntheticSequences, penalties_count_what_was_accepted) {
  const auto backend = sequences({});
  std::vector<float> logits(260, 0);
  logits['a'] = 2;
  logits['b'] = 1;
  SamplingSettings settings;
  settings.temperature = 0;
  settings.frequency_penalty = 0.6F;
  const auto sampler = backend->make_sampler(settings, 1);
  sampler->accept('a');
  EXPECT_EQ(sampler->sample(logits, {})->token, 'a');
  sampler->accept('a');
  EXPECT_EQ(sampler->sample(logits, {})->token, 'b');
  settings.frequency_penalty = 0;
  settings.repeat_penalty = 2;
  settings.penalty_last = 1;
  const auto repeats = backend->make_sampler(settings, 1);
  repeats->accept('a');
  repeats->accept('b');
  EXPECT_EQ(repeats->sample(logits, {})->token, 'a');
}

TEST(SyntheticSequences, does_not_load_when_told_so) {
  const auto status = SyntheticSequences::make({{"load_fails", "the disk is full"}}).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_EQ(status.text(), "the disk is full");
}

TEST(SyntheticSequences, models_of_other_keys_have_other_digests) {
  EXPECT_EQ(sequences({})->model().digest, sequences({})->model().digest);
  EXPECT_NE(sequences({})->model().digest, sequences({{"weights", "3"}})->model().digest);
}

TEST(SyntheticSequences, names_the_key_that_is_wrong) {
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"reply", "song"},
           {"cells", "0"},
           {"cells", "many"},
           {"can_cut", "maybe"},
           {"speed", "1"}
       }) {
    const Status status = SyntheticSequences::make({{key, value}}).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.text().find(key), std::string::npos) << status.text();
  }
}

}  // namespace
}  // namespace cortex::backend
