// SPDX-License-Identifier: Apache-2.0
#include "scheduler/draft_model.h"

#include <algorithm>
#include <functional>
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
    return ask_until(0, tokens, count, step);
  }
  // Nobody wants it any more from that question on; 0: somebody does.
  std::vector<Token> ask_until(
      std::size_t question,
      const std::vector<Token>& tokens,
      std::size_t count,
      Duration step = std::chrono::seconds(1)
  ) {
    std::size_t asked = 0;
    const auto abort = [&] { return ++asked == question; };
    const DraftModel::Wish wish{0, tokens, kSpeculationTokensMax};
    return model_->foretell({&wish, 1}, count, step, abort).front().tokens;
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
  const DraftModel::Wish wish{1, tokens, kSpeculationTokensMax};
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
  const DraftModel::Wish wish{1, other, kSpeculationTokensMax};
  EXPECT_TRUE(model_->foretell({&wish, 1}, 2, std::chrono::seconds(1)).front().tokens.empty());
}

TEST_F(DraftModelTest, begins_anew_when_its_engine_fails) {
  make({{"fail_at", "2"}, {"fail_rows", "1"}});
  std::vector<Token> tokens = prompt_of(30, 3);
  EXPECT_EQ(ask(tokens, 3).size(), 1U) << "what came before the failure counts";
  EXPECT_EQ(backend_->counts().cells_used, 0U);
  EXPECT_EQ(ask(tokens, 3), continuation({}, tokens, 3));
}

TEST_F(DraftModelTest, gives_up_a_step_that_nobody_wants_and_keeps_what_it_had) {
  make();
  const std::vector<Token> tokens = prompt_of(40, 3);
  EXPECT_TRUE(ask_until(2, tokens, 6).empty()) << "in the midst of the prompt, 32 rows of 40";
  EXPECT_EQ(backend_->counts().cells_used, 0U);
  EXPECT_EQ(ask_until(4, tokens, 6), continuation({}, tokens, 2)) << "what came before counts";
  EXPECT_EQ(backend_->counts().cells_used, 41U);
  EXPECT_EQ(ask(tokens, 6), continuation({}, tokens, 6));
}

TEST(DraftModel, needs_the_same_tokens_and_a_memory_that_can_be_cut) {
  const auto large = model_of({});
  EXPECT_TRUE(DraftModel::fits(*model_of({{"weights", "3"}}), *large).ok());
  EXPECT_TRUE(DraftModel::fits(*large, *large).ok()) << "itself";
  const auto whole = model_of({{"can_cut", "false"}});
  EXPECT_EQ(DraftModel::fits(*whole, *large).text(), "its memory cannot be cut");
  EXPECT_EQ(DraftModel::fits(*large, *whole).text(), "the model's own memory cannot be cut");
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
    std::size_t sequences = 1,
    const std::function<void(SequenceInput&)>& change = {}
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
    if (change) change(sequence_input(*request));
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

TEST(DraftModelLane, what_each_of_the_two_foretold_is_counted) {
  const Keys small = small_model();
  const SequenceCounts counts = outcome_of(kLarge, &small, 1).counts;
  EXPECT_GT(counts.model_draft_tokens, counts.lookup_draft_tokens) << "the text is a random one";
  EXPECT_GT(counts.model_draft_tokens_accepted, 100U);
  EXPECT_LE(counts.model_draft_tokens_accepted, counts.model_draft_tokens);
  EXPECT_LE(counts.lookup_draft_tokens_accepted, counts.lookup_draft_tokens);
  EXPECT_EQ(counts.model_draft_tokens + counts.lookup_draft_tokens, counts.draft_tokens);
  EXPECT_EQ(
      counts.model_draft_tokens_accepted + counts.lookup_draft_tokens_accepted,
      counts.draft_tokens_accepted
  );
}

TEST(DraftModelLane, is_not_asked_for_a_request_that_wants_no_drafts) {
  const Outcome without = outcome_of(kLarge, nullptr, 2);
  const Keys small = small_model();
  const auto with_most = [&](std::size_t most) {
    return outcome_of(kLarge, &small, 2, 0, 2, [most](SequenceInput& input) {
      input.draft_tokens_max = most;
    });
  };
  const Outcome none = with_most(0);
  EXPECT_EQ(none.counts.draft_model_steps, 0U);
  EXPECT_EQ(none.counts.draft_tokens, 0U);
  const Outcome few = with_most(2);
  EXPECT_GT(few.counts.model_draft_tokens, 0U);
  EXPECT_LE(few.counts.draft_tokens, 2 * few.counts.drafts);
  EXPECT_EQ(few.answers, none.answers);
}

// A draft model that tells when it takes its time.
class WatchedDraft {
 public:
  explicit WatchedDraft(std::function<void()> look) : look_(std::move(look)) {
    backend::SyntheticOptions options;
    options.wait = [this](Duration) { look_(); };
    auto made = SyntheticSequences::make({{"step_us", "1"}}, std::move(options));
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    backend = std::move(*made);
  }
  std::shared_ptr<SyntheticSequences> backend;

 private:
  std::function<void()> look_;
};

class AbortedDraft : public ::testing::Test {
 protected:
  // Steps of the draft model that one plan took in whose first something happened.
  std::uint64_t steps_around(const std::function<void()>& happens) {
    while (counts().model_draft_tokens_accepted < 20) EXPECT_TRUE(driver_->step());
    const std::uint64_t before = draft_.backend->counts().steps;
    now_ = happens;
    driver_->step();
    return draft_.backend->counts().steps - before;
  }
  [[nodiscard]] SequenceCounts counts() const { return driver_->counts(); }

  std::function<void()> now_;
  WatchedDraft draft_{[this] {
    if (const auto happens = std::exchange(now_, {})) happens();
  }};
  std::unique_ptr<testing::SequenceDriver> driver_ = [this] {
    SequenceCoreOptions options;
    options.draft_gain_min = 0;
    options.draft_backend = draft_.backend;
    return std::make_unique<testing::SequenceDriver>(kLarge, std::move(options));
  }();
  std::shared_ptr<testing::SequenceClient> client_ = [this] {
    auto request = sequence_request(prompt_of(20, 1), 400);
    sequence_input(*request).sampling.temperature = 0;
    return driver_->ask(std::move(request));
  }();
};

TEST_F(AbortedDraft, a_step_goes_on_while_somebody_waits_for_it) {
  EXPECT_GT(steps_around([] {}), 4U);
}

TEST_F(AbortedDraft, ends_with_the_step_in_which_the_client_leaves) {
  EXPECT_EQ(steps_around([&] { client_->stream->cancel(); }), 2U) << "that one and one given up";
  driver_->run();
  EXPECT_EQ(draft_.backend->counts().cells_used, 0U);
  EXPECT_EQ(counts().cancelled, 1U);
}

TEST_F(AbortedDraft, ends_with_the_step_in_which_the_lane_closes) {
  EXPECT_EQ(steps_around([&] { driver_->core().abort(); }), 2U);
  EXPECT_EQ(counts().step_aborts, 1U);
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

// A prompt is read in pieces of 32 tokens, so the prompts here are long ones.
TEST(DraftModelLane, is_left_alone_once_it_was_measured_to_be_too_slow) {
  const auto long_prompt = [number = 0U](SequenceInput& input) mutable {
    input.prompt = prompt_of(600, ++number);
  };
  const Outcome without = outcome_of(kLarge, nullptr, 3, kDraftGainMin, 1, long_prompt);
  for (const auto& [step, steps_max] : {std::pair("15000", 20U), std::pair("60000", 12U)}) {
    const Keys small = small_model("0", step);
    const Outcome with = outcome_of(kLarge, &small, 3, kDraftGainMin, 1, long_prompt);
    EXPECT_EQ(with.answers, without.answers);
    EXPECT_GE(with.counts.draft_model_steps, 8U) << "or it was not measured";
    EXPECT_LE(with.counts.draft_model_steps, steps_max);
    EXPECT_LT(with.seconds, without.seconds * 1.08) << with.counts.draft_model_steps;
  }
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
