// SPDX-License-Identifier: Apache-2.0
// Speculation by prompt lookup: what is said is the same with and without, only sooner.
#include <algorithm>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "scheduler/sequence_core.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using testing::SequenceClient;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

constexpr std::size_t kDrafts = 8;

SequenceCoreOptions drafting(std::size_t tokens_max, double gain_min = kDraftGainMin) {
  SequenceCoreOptions options;
  options.draft_tokens_max = tokens_max;
  options.draft_gain_min = gain_min;
  return options;
}

// Where a row more is cheap.
Keys cheap_rows(Keys further = {}) {
  further.insert({{"step_us", "10000"}, {"row_us", "300"}});
  return further;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

// The scripted model begins its answer behind this.
std::vector<Token> script_prompt() {
  std::vector<Token> out = {258};
  for (const char c : std::string_view("assistant\n")) out.push_back(c);
  return out;
}

// Few letters, drawn at random: what comes was often seen, and often comes otherwise.
void say_few_letters(SequenceInput& input, std::string_view letters) {
  for (const char c : letters) input.sampling.logit_bias.emplace_back(c, 20.0F);
}

struct Said {
  std::vector<std::vector<Token>> answers;
  std::vector<FinishReason> finishes;
  std::vector<float> logprobs;
  Status status;
  SequenceCounts counts;
  double seconds = 0;
};

Said say(
    const Keys& keys, const Request& request, std::size_t drafts, double gain_min = kDraftGainMin
) {
  SequenceDriver driver(keys, drafting(drafts, gain_min));
  const auto client = driver.ask(std::make_shared<Request>(request));
  const TimePoint began = driver.clock().now();
  driver.run();
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(driver.state().cells_used(), driver.state().tree.cells());
  EXPECT_EQ(driver.backend().counts().cells_used, driver.state().tree.cells());
  Said said{client->answers, client->finishes, {}, client->status(), driver.counts(), 0};
  for (const SampledToken& token : client->tokens) {
    said.logprobs.push_back(token.logprob);
    for (const TokenLogprob& top : token.top) said.logprobs.push_back(top.logprob);
  }
  said.seconds = std::chrono::duration<double>(driver.clock().now() - began).count();
  return said;
}

// Says the same with drafts and without, and some of them came true, some not. They run whether
// they pay or not.
void expect_same(const Keys& keys, const Request& request, bool some_fail = true) {
  const Said without = say(keys, request, 0);
  const Said with = say(keys, request, kDrafts, 0);
  EXPECT_TRUE(with.status.ok()) << with.status.to_string();
  EXPECT_EQ(with.answers, without.answers);
  EXPECT_EQ(with.finishes, without.finishes);
  EXPECT_EQ(without.counts.draft_tokens, 0u);
  EXPECT_GT(with.counts.draft_tokens_accepted, 0u);
  if (some_fail) {
    EXPECT_GT(with.counts.draft_tokens, with.counts.draft_tokens_accepted);
  }
  EXPECT_EQ(with.counts.generated_tokens, without.counts.generated_tokens);
  EXPECT_LT(with.counts.steps, without.counts.steps);
  // Log probabilities come in the order of the parts, which forks share differently.
  if (std::get<SequenceInput>(request.input).sequences == 1) {
    EXPECT_EQ(with.logprobs, without.logprobs);
  }
}

TEST(SequenceDrafts, say_the_same_drawn_at_random) {
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    const auto request = sequence_request(prompt_of(30, seed), 300);
    say_few_letters(sequence_input(*request), "abc");
    sequence_input(*request).sampling.seed = seed;
    expect_same(cheap_rows(), *request);
  }
}

TEST(SequenceDrafts, say_the_same_without_chance) {
  const Keys keys = cheap_rows({{"reply", "script"}, {"answer", repeated("tick tock, ", 30)}});
  const auto request = sequence_request(script_prompt(), 300);
  sequence_input(*request).sampling.temperature = 0;
  expect_same(keys, *request, false);
}

TEST(SequenceDrafts, say_the_same_with_penalties) {
  const auto request = sequence_request(prompt_of(30, 3), 300);
  SequenceInput& input = sequence_input(*request);
  say_few_letters(input, "abcd");
  input.sampling.repeat_penalty = 1.3F;
  input.sampling.frequency_penalty = 0.02F;
  input.sampling.presence_penalty = 0.5F;
  expect_same(cheap_rows(), *request);
}

TEST(SequenceDrafts, say_the_same_with_log_probabilities) {
  const auto request = sequence_request(prompt_of(30, 4), 200);
  say_few_letters(sequence_input(*request), "ab");
  sequence_input(*request).top_logprobs = 4;
  sequence_input(*request).prompt_logprobs = true;
  expect_same(cheap_rows(), *request);
}

TEST(SequenceDrafts, end_where_the_model_ends) {
  for (std::uint64_t seed = 1; seed < 9; ++seed) {
    const auto request = sequence_request(prompt_of(30, seed), 500);
    SequenceInput& input = sequence_input(*request);
    say_few_letters(input, "ab");
    input.sampling.seed = seed;
    input.ignore_end = false;
    const Keys keys = cheap_rows({{"end_every", "150"}});
    const Said without = say(keys, *request, 0);
    const Said with = say(keys, *request, kDrafts);
    EXPECT_EQ(with.answers, without.answers);
    EXPECT_EQ(with.finishes, without.finishes);
  }
}

TEST(SequenceDrafts, end_at_the_same_limit_of_tokens_and_of_the_context) {
  for (std::size_t most = 60; most < 80; ++most) {
    const auto request = sequence_request(std::vector<Token>(20, 'a'), most);
    say_few_letters(sequence_input(*request), "a");
    expect_same(cheap_rows(), *request, false);
    expect_same(cheap_rows({{"context_length", std::to_string(most)}}), *request, false);
  }
}

// Lets two letters alternate with any of three, and ends after some tokens.
class Rhythm final : public TokenConstraint {
 public:
  explicit Rhythm(std::size_t length) : length_(length) {}
  Status allow(std::span<std::uint32_t> mask) override {
    std::fill(mask.begin(), mask.end(), 0);
    for (const char c : std::string_view(said_ % 2 == 0 ? "xy" : "xyz")) {
      const auto token = static_cast<unsigned char>(c);
      mask[token / 32] |= 1U << (token % 32);
    }
    return {};
  }
  Status accept(Token token) override {
    ++said_;
    return token >= 'x' && token <= 'z' ? Status() : Status(Code::kInternal, "not allowed");
  }
  bool finished() const override { return said_ >= length_; }
  std::unique_ptr<TokenConstraint> fork() const override { return std::make_unique<Rhythm>(*this); }

 private:
  std::size_t length_;
  std::size_t said_ = 0;
};

TEST(SequenceDrafts, say_what_a_constraint_allows_and_end_with_it) {
  for (std::size_t length = 100; length < 110; ++length) {
    const auto request = sequence_request(prompt_of(20, 5), 300);
    sequence_input(*request).constraint = std::make_shared<Rhythm>(length);
    expect_same(cheap_rows(), *request);
    EXPECT_EQ(say(cheap_rows(), *request, kDrafts).answers[0].size(), length);
  }
}

TEST(SequenceDrafts, say_the_same_in_forks_that_share_a_memory_too_small_for_all) {
  const auto request = sequence_request(prompt_of(60, 1), 90);
  say_few_letters(sequence_input(*request), "ab");
  sequence_input(*request).sequences = 4;
  expect_same({{"step_us", "10000"}, {"row_us", "30"}}, *request);
  const Keys small = {{"cells", "256"}, {"sequences_max", "16"}, {"row_us", "10"}};
  const Said without = say(small, *request, 0);
  const Said with = say(small, *request, kDrafts);
  EXPECT_EQ(with.answers, without.answers);
  EXPECT_EQ(with.counts.engine_full, 0u) << "our count of cells is the engine's";
}

TEST(SequenceDrafts, are_as_long_as_the_request_allows_and_say_the_same) {
  const auto request = sequence_request(prompt_of(30, 1), 200);
  say_few_letters(sequence_input(*request), "ab");
  const Said usual = say(cheap_rows(), *request, kDrafts, 0);
  EXPECT_GT(usual.counts.draft_tokens, 3 * usual.counts.drafts);
  for (const std::size_t most : {0U, 1U, 3U, 100U}) {
    sequence_input(*request).draft_tokens_max = most;
    const Said said = say(cheap_rows(), *request, kDrafts, 0);
    EXPECT_EQ(said.answers, usual.answers);
    EXPECT_LE(said.counts.draft_tokens, most * said.counts.drafts);
    EXPECT_EQ(said.counts.drafts == 0, most == 0);
    EXPECT_EQ(said.counts.model_draft_tokens, 0u);
    EXPECT_EQ(said.counts.lookup_draft_tokens, said.counts.draft_tokens);
    EXPECT_EQ(said.counts.lookup_draft_tokens_accepted, said.counts.draft_tokens_accepted);
    if (most > kDrafts) {
      EXPECT_EQ(said.counts.draft_tokens, usual.counts.draft_tokens) << "the model's own bound";
    }
  }
}

TEST(SequenceDrafts, are_none_where_memory_cannot_be_cut) {
  const auto request = sequence_request(prompt_of(30, 1), 100);
  say_few_letters(sequence_input(*request), "a");
  const Said said = say(cheap_rows({{"can_cut", "false"}}), *request, kDrafts);
  EXPECT_TRUE(said.status.ok());
  EXPECT_EQ(said.counts.draft_tokens, 0u);
}

TEST(SequenceDrafts, leave_no_more_to_a_slow_reader_than_single_tokens_do) {
  SequenceDriver driver(cheap_rows(), drafting(kSpeculationTokensMax));
  const auto request = sequence_request(prompt_of(20, 1), 300);
  say_few_letters(sequence_input(*request), "a");
  const auto client = driver.ask(request);
  while (driver.counts().draft_tokens_accepted == 0) ASSERT_TRUE(driver.step());
  client->reads = false;
  driver.run();
  EXPECT_EQ(driver.counts().pauses, 1u);
  const Generation& generation = *driver.state().running.front();
  for (const TokenOutput& output : generation.unsent) {
    EXPECT_LE(output.tokens.size(), kUnsentTokensMax);
  }
  client->reads = true;
  client->read();
  driver.run();
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(client->answers[0].size(), 300u);
}

TEST(SequenceDrafts, leave_memory_when_the_step_fails_or_the_client_leaves) {
  const auto request = sequence_request(prompt_of(20, 1), 300);
  say_few_letters(sequence_input(*request), "ab");
  Keys keys = cheap_rows({{"fail_every", "40"}, {"fail_rows", "3"}, {"fail_code", "cancelled"}});
  expect_same(keys, *request);
  SequenceDriver driver(cheap_rows(), drafting(kDrafts));
  const auto client = driver.ask(request);
  while (driver.state().draft_rows == 0) ASSERT_TRUE(driver.step());
  const SequenceCore::Turn turn = driver.core().plan(driver.clock().now());
  ASSERT_NE(turn.step, nullptr);
  const TimePoint began = driver.clock().now();
  const Status status = driver.backend().decode(*turn.step);
  client->stream->cancel();
  driver.core().commit(status, began, driver.clock().now());
  EXPECT_TRUE(driver.state().running.empty());
  EXPECT_EQ(driver.backend().counts().cells_used, driver.state().tree.cells());
}

// How much sooner an answer is there with drafts.
double gain(const Keys& keys, const Request& request) {
  const Said without = say(keys, request, 0);
  const Said with = say(keys, request, kDrafts);
  EXPECT_EQ(with.answers, without.answers);
  return without.seconds / with.seconds;
}

const std::vector<Keys> kMachines = {
    {{"step_us", "10000"}, {"row_us", "500"}},
    {{"step_us", "8000"}, {"row_us", "4000"}, {"cell_ns", "500"}},
    {{"step_us", "2000"}, {"row_us", "8000"}},
    {{"row_us", "5000"}},
};

Keys scripted(Keys keys, std::string answer) {
  keys["reply"] = "script";
  keys["answer"] = std::move(answer);
  return keys;
}

TEST(SequenceDrafts, make_a_repetitive_text_faster_where_rows_are_cheaper_than_steps) {
  const auto request = sequence_request(script_prompt(), 600);
  const std::string text = repeated("{\"name\": \"a\", \"value\": 1},\n", 30);
  EXPECT_GT(gain(scripted(kMachines[0], text), *request), 2.5);
  EXPECT_GT(gain(scripted(kMachines[1], text), *request), 1.2);
}

TEST(SequenceDrafts, never_make_a_text_slower) {
  for (std::size_t i = 0; i < kMachines.size(); ++i) {
    const auto random = sequence_request(prompt_of(200, i), 700);
    EXPECT_GE(gain(kMachines[i], *random), 0.98) << "random text, machine " << i;
    const auto letters = sequence_request(prompt_of(200, i), 700);
    say_few_letters(sequence_input(*letters), "abcd");
    EXPECT_GE(gain(kMachines[i], *letters), 0.98) << "random letters, machine " << i;
    const auto script = sequence_request(script_prompt(), 700);
    EXPECT_GE(gain(scripted(kMachines[i], repeated("to be or not ", 60)), *script), 0.98)
        << "repetitive text, machine " << i;
  }
}

TEST(SequenceDrafts, begin_again_when_a_text_begins_to_repeat_itself) {
  std::string text;
  for (const Token token : prompt_of(400, 8)) text.push_back(static_cast<char>(token));
  std::replace(text.begin(), text.end(), '{', ' ');
  std::replace(text.begin(), text.end(), '\\', ' ');
  const Keys keys = scripted(kMachines[0], text + repeated("over and over ", 30));
  const auto request = sequence_request(script_prompt(), 800);
  const Said said = say(keys, *request, kDrafts);
  EXPECT_GT(said.counts.draft_tokens_accepted, 250u);
}

// Streams of others beside one whose text repeats itself.
TEST(SequenceDrafts, do_not_slow_their_neighbours) {
  for (const Keys& machine : kMachines) {
    const auto seconds = [&](std::size_t drafts) {
      SequenceDriver driver(machine, drafting(drafts));
      std::vector<std::shared_ptr<SequenceClient>> clients;
      for (std::uint64_t i = 0; i < 3; ++i) {
        clients.push_back(driver.ask(sequence_request(prompt_of(50, i), 300, std::to_string(i))));
      }
      const auto circles = sequence_request(std::vector<Token>(50, 'a'), 2000, "circles");
      say_few_letters(sequence_input(*circles), "a");
      const auto stream = driver.ask(circles);
      while (!clients[0]->ended || !clients[1]->ended || !clients[2]->ended) driver.step();
      stream->stream->cancel();
      return std::chrono::duration<double>(driver.clock().now().time_since_epoch()).count();
    };
    EXPECT_LE(seconds(kDrafts), 1.15 * seconds(0));
  }
}

}  // namespace
}  // namespace cortex::scheduler
