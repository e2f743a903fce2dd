// SPDX-License-Identifier: Apache-2.0
#include "scheduler/draft_model.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_sequences.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using backend::SyntheticSequences;
using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using Keys = SyntheticSequences::Keys;

std::shared_ptr<SyntheticSequences> model_of(const Keys& keys, VirtualClock* clock = nullptr) {
  backend::SyntheticOptions options;
  if (clock != nullptr) options.wait = [clock](Duration time) { clock->advance(time); };
  auto made = SyntheticSequences::make(keys, std::move(options));
  EXPECT_TRUE(made.ok()) << made.status().to_string();
  return std::move(*made);
}

// What the model says next by itself.
std::vector<Token> continuation(const Keys& keys, std::vector<Token> tokens, std::size_t count) {
  const auto model = model_of(keys);
  std::vector<Token> out;
  std::size_t from = 0;
  while (out.size() < count) {
    std::vector<backend::StepRow> rows;
    for (; from < tokens.size(); ++from) {
      rows.push_back({tokens[from], static_cast<std::int32_t>(from), 0, from + 1 == tokens.size()});
    }
    backend::SequenceStep step;
    step.rows = rows;
    EXPECT_TRUE(model->decode(step).ok());
    const auto logits = model->logits(rows.size() - 1);
    out.push_back(
        static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin())
    );
    tokens.push_back(out.back());
  }
  return out;
}

class DraftModelTest : public ::testing::Test {
 protected:
  void make(Keys keys = {}) {
    keys.insert({{"step_us", "100"}, {"row_us", "100"}});
    backend_ = model_of(keys, &clock_);
    model_ = std::make_unique<DraftModel>(backend_, clock_);
  }
  std::vector<Token> ask(
      const std::vector<Token>& tokens, std::size_t count, Duration step = std::chrono::seconds(1)
  ) {
    const DraftModel::Wish wish{0, tokens, 15};
    return model_->foretell({&wish, 1}, count, step).front().tokens;
  }

  VirtualClock clock_;
  std::shared_ptr<SyntheticSequences> backend_;
  std::unique_ptr<DraftModel> model_;
};

TEST_F(DraftModelTest, says_what_it_would_say_alone) {
  make();
  std::vector<Token> tokens = prompt_of(40, 1);
  EXPECT_EQ(ask(tokens, 6), continuation({}, tokens, 6));
  // Some of it came true, then something else.
  const std::vector<Token> next = continuation({}, tokens, 2);
  tokens.insert(tokens.end(), {next[0], next[1], 'x'});
  EXPECT_EQ(ask(tokens, 4), continuation({}, tokens, 4));
  // Something else at once, and the same again.
  tokens.push_back('y');
  EXPECT_EQ(ask(tokens, 3), continuation({}, tokens, 3));
  EXPECT_EQ(ask(tokens, 3), continuation({}, tokens, 3));
}

TEST_F(DraftModelTest, foretells_several_at_once) {
  make();
  std::vector<std::vector<Token>> texts;
  for (std::uint64_t i = 0; i < 4; ++i) texts.push_back(prompt_of(20 + 5 * i, i));
  std::vector<DraftModel::Wish> wishes;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    wishes.push_back({static_cast<backend::SequenceId>(i), texts[i], i});
  }
  const auto drafts = model_->foretell(wishes, 3, std::chrono::seconds(1));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(drafts[i].tokens, continuation({}, texts[i], i)) << "as many as it may have";
    EXPECT_EQ(drafts[i].alike.size(), i);
  }
}

TEST_F(DraftModelTest, reads_a_long_prompt_in_pieces) {
  make();
  for (std::uint64_t i = 0; i < 30; ++i) ASSERT_FALSE(ask(prompt_of(8, i), 2).empty());
  const std::vector<Token> tokens = prompt_of(400, 77);
  std::size_t calls = 0;
  Duration longest{};
  for (bool read = false; !read; ++calls) {
    ASSERT_LT(calls, 50U);
    const TimePoint began = clock_.now();
    read = !ask(tokens, 1, std::chrono::milliseconds(20)).empty();
    longest = std::max(longest, clock_.now() - began);
  }
  EXPECT_GT(calls, 4U) << "40 ms of reading, 5 at a time";
  EXPECT_LT(longest, std::chrono::milliseconds(8));
}

TEST_F(DraftModelTest, a_fork_begins_with_what_was_read) {
  make();
  std::vector<Token> tokens = prompt_of(100, 5);
  ASSERT_FALSE(ask(tokens, 1).empty());
  model_->fork(0, 1, tokens.size());
  const std::uint64_t before = backend_->counts().tokens;
  tokens.push_back('q');
  const DraftModel::Wish wish{1, tokens, 15};
  EXPECT_EQ(
      model_->foretell({&wish, 1}, 2, std::chrono::seconds(1)).front().tokens,
      continuation({}, tokens, 2)
  );
  EXPECT_LE(backend_->counts().tokens - before, 3U);
}

TEST_F(DraftModelTest, forgets_whom_it_is_told_to) {
  make();
  ASSERT_FALSE(ask(prompt_of(100, 5), 1).empty());
  EXPECT_GT(backend_->counts().cells_used, 90U);
  model_->forget(0);
  EXPECT_EQ(backend_->counts().cells_used, 0U);
}

TEST_F(DraftModelTest, leaves_out_what_its_memory_cannot_hold) {
  make({{"cells", "128"}});
  EXPECT_TRUE(ask(prompt_of(120, 1), 2).empty());
  EXPECT_EQ(ask(prompt_of(60, 1), 2).size(), 2U);
  const std::vector<Token> other = prompt_of(80, 2);
  const DraftModel::Wish wish{1, other, 15};
  EXPECT_TRUE(model_->foretell({&wish, 1}, 2, std::chrono::seconds(1)).front().tokens.empty());
}

TEST_F(DraftModelTest, begins_anew_when_its_engine_fails) {
  make({{"fail_at", "2"}, {"fail_rows", "1"}});
  std::vector<Token> tokens = prompt_of(30, 3);
  EXPECT_EQ(ask(tokens, 3).size(), 1U) << "what came before the failure counts";
  EXPECT_EQ(backend_->counts().cells_used, 0U);
  EXPECT_EQ(ask(tokens, 3), continuation({}, tokens, 3));
}

TEST(DraftModel, needs_the_same_tokens_and_a_memory_that_can_be_cut) {
  const auto large = model_of({});
  EXPECT_TRUE(DraftModel::fits(*model_of({{"weights", "3"}}), *large).ok());
  EXPECT_FALSE(DraftModel::fits(*model_of({{"can_cut", "false"}}), *large).ok());
  const Status few = DraftModel::fits(*model_of({{"sequences_max", "8"}}), *large);
  EXPECT_EQ(few.text(), "it has ids for 8 sequences, the model for 64");
}

// A lane with a draft model; what it says and how long that takes.
struct Outcome {
  std::vector<std::vector<Token>> answers;
  double seconds = 0;
  SequenceCounts counts;
};

Outcome outcome_of(
    const Keys& large,
    const Keys* small,
    std::size_t requests,
    double gain_min = kDraftGainMin,
    std::size_t sequences = 1
) {
  SequenceCoreOptions options;
  options.draft_gain_min = gain_min;
  Outcome out;
  testing::SequenceDriver driver(large, options, small);
  std::vector<std::shared_ptr<testing::SequenceClient>> clients;
  for (std::size_t i = 0; i < requests; ++i) {
    auto request = sequence_request(prompt_of(50, i), 400, "key" + std::to_string(i));
    sequence_input(*request).sampling.temperature = 0;
    sequence_input(*request).sequences = static_cast<std::uint32_t>(sequences);
    clients.push_back(driver.ask(std::move(request)));
  }
  const TimePoint began = driver.clock().now();
  driver.run();
  out.seconds = std::chrono::duration<double>(driver.clock().now() - began).count();
  out.counts = driver.counts();
  for (const auto& client : clients) {
    EXPECT_TRUE(client->ended);
    for (auto& answer : client->answers) out.answers.push_back(answer);
  }
  return out;
}

const Keys kLarge = {{"step_us", "20000"}, {"row_us", "500"}};

Keys small_model(const char* weights = "0", const char* step = "1000") {
  return {{"step_us", step}, {"row_us", "100"}, {"weights", weights}};
}

TEST(DraftModelLane, says_the_same_sooner_where_the_small_model_agrees) {
  const Outcome without = outcome_of(kLarge, nullptr, 1);
  const Keys small = small_model();
  const Outcome with = outcome_of(kLarge, &small, 1);
  EXPECT_EQ(with.answers, without.answers);
  EXPECT_GT(with.counts.draft_tokens_accepted, 100U);
  EXPECT_GT(with.counts.draft_model_steps, with.counts.draft_tokens_accepted / 2);
  EXPECT_LT(with.seconds, without.seconds / 2.5);
}

TEST(DraftModelLane, costs_little_where_it_disagrees) {
  const Outcome without = outcome_of(kLarge, nullptr, 1);
  const Keys small = small_model("7");
  const Outcome with = outcome_of(kLarge, &small, 1);
  EXPECT_EQ(with.answers, without.answers);
  EXPECT_LT(with.seconds, without.seconds * 1.05);
}

TEST(DraftModelLane, costs_little_where_it_is_as_slow_as_the_large_one) {
  const Outcome without = outcome_of(kLarge, nullptr, 1);
  const Keys small = small_model("0", "20000");
  const Outcome with = outcome_of(kLarge, &small, 1);
  EXPECT_EQ(with.answers, without.answers);
  EXPECT_LT(with.seconds, without.seconds * 1.12);
}

TEST(DraftModelLane, serves_several_and_their_forks) {
  const Outcome without = outcome_of(kLarge, nullptr, 5, kDraftGainMin, 2);
  const Keys small = small_model();
  for (const double gain_min : {kDraftGainMin, 0.0}) {
    const Outcome with = outcome_of(kLarge, &small, 5, gain_min, 2);
    EXPECT_EQ(with.answers, without.answers);
    EXPECT_GT(with.counts.draft_tokens_accepted, 0U);
  }
}

}  // namespace
}  // namespace cortex::scheduler
