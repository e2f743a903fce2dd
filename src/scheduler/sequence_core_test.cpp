// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_core.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "scheduler/prefix_space.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using testing::SequenceClient;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

std::vector<Token> joined(std::vector<Token> first, const std::vector<Token>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

SequenceCoreOptions running_at_most(std::size_t sequences) {
  SequenceCoreOptions options;
  options.running_max = sequences;
  return options;
}

// What a request answers when nobody else is there.
std::vector<std::vector<Token>> alone(const Request& request) {
  SequenceDriver driver(Keys{});
  const auto client = driver.ask(std::make_shared<Request>(request));
  driver.run();
  EXPECT_TRUE(client->ended && client->status().ok());
  return client->answers;
}

void expect_as_alone(const SequenceClient& client) {
  ASSERT_TRUE(client.ended);
  ASSERT_TRUE(client.status().ok()) << client.status().to_string();
  EXPECT_EQ(client.answers, alone(*client.request));
}

// Nobody inside: only the prefix tree holds cells.
void expect_nothing_left(SequenceDriver& driver) {
  const SequenceState& state = driver.state();
  EXPECT_EQ(driver.backend().counts().cells_used, state.tree.cells());
  EXPECT_EQ(state.cells_used(), state.tree.cells());
  EXPECT_EQ(state.slots, 0u);
  EXPECT_EQ(state.saved_bytes, 0u);
  EXPECT_EQ(state.door.requests(), 0u);
}

std::shared_ptr<const NamedAdapter> make_adapter(SequenceDriver& driver, std::uint64_t number) {
  const auto file = std::filesystem::path(::testing::TempDir()) /
                    ("sequence_core_adapter_" + std::to_string(number));
  std::ofstream(file) << "synthetic adapter\n" << number << "\n";
  auto loaded = driver.backend().load_adapter(file);
  EXPECT_TRUE(loaded.ok());
  auto adapter = std::make_shared<NamedAdapter>();
  adapter->name = "a" + std::to_string(number);
  adapter->number = number;
  adapter->adapter = *loaded;
  return adapter;
}

TEST(SequenceCore, answers_a_request_and_says_what_it_took) {
  SequenceDriver driver(Keys{{"step_us", "1000"}});
  const auto client = driver.ask(sequence_request(prompt_of(20, 1), 5));
  driver.run();
  expect_as_alone(*client);
  EXPECT_EQ(client->answers[0].size(), 5u);
  EXPECT_EQ(client->finishes[0], FinishReason::kLength);
  const Timings& timings = client->stream->timings();
  EXPECT_EQ(timings.input_tokens, 20u);
  EXPECT_EQ(timings.output_tokens, 5u);
  EXPECT_EQ(timings.first_token, milliseconds(1));
  EXPECT_EQ(timings.compute, milliseconds(5));
  expect_nothing_left(driver);
}

TEST(SequenceCore, answers_many_at_once_as_it_answers_each_alone) {
  SequenceDriver driver(Keys{});
  std::vector<std::shared_ptr<SequenceClient>> clients;
  for (std::uint64_t i = 0; i < 20; ++i) {
    clients.push_back(driver.ask(sequence_request(prompt_of(3 + 7 * i, i), 4 + i)));
  }
  driver.run();
  for (const auto& client : clients) expect_as_alone(*client);
  expect_nothing_left(driver);
}

TEST(SequenceCore, completes_all_although_memory_holds_half_of_them) {
  for (const bool cuts : {true, false}) {
    SequenceDriver driver(
        Keys{{"cells", "1024"}, {"row_us", "100"}, {"can_cut", cuts ? "true" : "false"}}
    );
    std::vector<std::shared_ptr<SequenceClient>> clients;
    for (std::uint64_t i = 0; i < 8; ++i) {
      clients.push_back(driver.ask(sequence_request(prompt_of(204, i), 204)));
    }
    driver.run();
    for (const auto& client : clients) expect_as_alone(*client);
    const SequenceCounts counts = driver.counts();
    EXPECT_GT(counts.preemptions_kept + counts.preemptions_recomputed, 0u);
    EXPECT_EQ(counts.engine_full, 0u) << "our count of cells is the engine's";
    expect_nothing_left(driver);
  }
}

TEST(SequenceCore, brings_back_a_kept_state_where_copies_are_cheaper) {
  SequenceDriver driver(Keys{{"cells", "512"}, {"row_us", "10000"}});
  std::vector<std::shared_ptr<SequenceClient>> clients;
  for (std::uint64_t i = 0; i < 4; ++i) {
    clients.push_back(driver.ask(sequence_request(prompt_of(100, i), 150)));
  }
  driver.run();
  for (const auto& client : clients) expect_as_alone(*client);
  EXPECT_GT(driver.counts().preemptions_kept, 0u);
  EXPECT_GT(driver.backend().counts().restores, 0u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, refuses_a_prompt_that_never_fits) {
  SequenceDriver driver(Keys{{"cells", "100"}});
  const auto client = driver.ask(sequence_request(prompt_of(100, 1), 5));
  EXPECT_EQ(client->status().code(), Code::kInvalidArgument);
  const auto fits = driver.ask(sequence_request(prompt_of(99, 1), 5));
  driver.run();
  ASSERT_TRUE(fits->ended);
  EXPECT_EQ(fits->finishes[0], FinishReason::kLength) << "memory ends the answer";
  EXPECT_EQ(fits->answers[0].size(), 1u);
}

TEST(SequenceCore, computes_what_cold_requests_share_once) {
  SequenceDriver driver(Keys{{"row_us", "100"}});
  std::vector<std::shared_ptr<SequenceClient>> clients;
  const auto shared = prompt_of(600, 99);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto prompt = joined(shared, prompt_of(i == 0 ? 28 : 30, i));
    clients.push_back(driver.ask(sequence_request(prompt, 20)));
  }
  driver.run();
  for (const auto& client : clients) expect_as_alone(*client);
  EXPECT_LE(driver.counts().computed_tokens, 760u);
  EXPECT_GE(driver.counts().computed_tokens, 718u);
  EXPECT_EQ(driver.counts().prefix_waits, 3u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, lets_followers_begin_when_the_one_they_wait_for_leaves) {
  SequenceDriver driver(Keys{{"row_us", "1000"}, {"step_rows_max", "64"}});
  const auto shared = prompt_of(600, 99);
  const auto first = driver.ask(sequence_request(joined(shared, prompt_of(9, 1)), 5));
  const auto second = driver.ask(sequence_request(joined(shared, prompt_of(9, 2)), 5));
  for (int i = 0; i < 3; ++i) driver.step();
  first->stream->cancel();
  driver.run();
  expect_as_alone(*second);
  EXPECT_GT(second->stream->timings().cached_tokens, 100u) << "what was read is not read again";
  expect_nothing_left(driver);
}

TEST(SequenceCore, takes_a_known_prompt_from_the_tree_and_says_the_same) {
  SequenceDriver driver(Keys{});
  const auto cold = driver.ask(sequence_request(prompt_of(300, 1), 10));
  driver.run();
  const auto warm = driver.ask(sequence_request(prompt_of(300, 1), 10));
  driver.run();
  EXPECT_EQ(cold->stream->timings().cached_tokens, 0u);
  EXPECT_EQ(warm->stream->timings().cached_tokens, 299u) << "the last token's logits are needed";
  expect_as_alone(*warm);
  const auto further = driver.ask(
      sequence_request(joined(joined(prompt_of(300, 1), warm->answers[0]), prompt_of(5, 2)), 10)
  );
  driver.run();
  EXPECT_GE(further->stream->timings().cached_tokens, 309u) << "answers are kept, too";
  expect_as_alone(*further);
  expect_nothing_left(driver);
}

TEST(SequenceCore, shares_nothing_between_tenants_and_salts) {
  SequenceDriver driver(Keys{});
  const auto ask = [&](std::string tenant, std::string salt) {
    auto request = sequence_request(prompt_of(100, 1), 4);
    request->principal.tenant = std::move(tenant);
    sequence_input(*request).cache_salt = std::move(salt);
    auto client = driver.ask(request);
    driver.run();
    return client->stream->timings().cached_tokens;
  };
  EXPECT_EQ(ask("a", ""), 0u);
  EXPECT_EQ(ask("b", ""), 0u);
  EXPECT_EQ(ask("a", "s"), 0u);
  EXPECT_EQ(ask("a", ""), 99u);
}

TEST(SequenceCore, makes_forks_that_share_the_prompt_and_draw_apart) {
  for (const bool cuts : {true, false}) {
    SequenceDriver driver(Keys{{"can_cut", cuts ? "true" : "false"}});
    auto request = sequence_request(prompt_of(200, 1), 12);
    sequence_input(*request).sequences = 4;
    const auto client = driver.ask(request);
    driver.step();
    EXPECT_EQ(driver.backend().counts().cells_used, 200u) << "the prompt is held once";
    EXPECT_EQ(driver.state().cells_used(), 200u);
    driver.run();
    ASSERT_TRUE(client->ended && client->status().ok());
    ASSERT_EQ(client->answers.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
      auto one = sequence_request(prompt_of(200, 1), 12);
      sequence_input(*one).sampling.seed = 7 + i;
      EXPECT_EQ(client->answers[i], alone(*one)[0]);
    }
    EXPECT_NE(client->answers[0], client->answers[1]);
    EXPECT_EQ(client->stream->timings().output_tokens, 48u);
    expect_nothing_left(driver);
  }
}

TEST(SequenceCore, forks_survive_a_memory_too_small_for_all_of_them) {
  SequenceDriver driver(Keys{{"cells", "256"}, {"sequences_max", "16"}});
  auto request = sequence_request(prompt_of(100, 1), 90);
  sequence_input(*request).sequences = 4;
  const auto client = driver.ask(request);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok());
  for (std::size_t i = 0; i < 4; ++i) {
    auto one = sequence_request(prompt_of(100, 1), 90);
    sequence_input(*one).sampling.seed = 7 + i;
    EXPECT_EQ(client->answers[i], alone(*one)[0]);
  }
  EXPECT_EQ(driver.counts().engine_full, 0u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, ends_at_the_models_end_unless_it_is_to_be_ignored) {
  const Keys keys = {{"end_every", "8"}};
  SequenceDriver driver(keys);
  auto request = sequence_request(prompt_of(20, 3), 500);
  sequence_input(*request).ignore_end = false;
  const auto client = driver.ask(request);
  const auto ignoring = driver.ask(sequence_request(prompt_of(20, 3), 100));
  driver.run();
  EXPECT_EQ(client->finishes[0], FinishReason::kStop);
  const auto& vocabulary = driver.backend().vocabulary();
  for (const Token token : client->answers[0]) EXPECT_FALSE(vocabulary.is_end(token));
  EXPECT_EQ(ignoring->finishes[0], FinishReason::kLength);
  EXPECT_EQ(ignoring->answers[0].size(), 100u);
}

TEST(SequenceCore, ends_at_the_end_of_the_context) {
  SequenceDriver driver(Keys{{"context_length", "64"}});
  const auto client = driver.ask(sequence_request(prompt_of(60, 3), 100));
  driver.run();
  EXPECT_EQ(client->finishes[0], FinishReason::kLength);
  EXPECT_EQ(client->answers[0].size(), 4u);
}

TEST(SequenceCore, frees_what_a_client_that_left_had) {
  SequenceDriver driver(Keys{{"row_us", "1000"}});
  const auto client = driver.ask(sequence_request(prompt_of(50, 1), 500));
  const auto other = driver.ask(sequence_request(prompt_of(50, 2), 30));
  for (int i = 0; i < 5; ++i) driver.step();
  client->stream->cancel();
  driver.run();
  EXPECT_EQ(client->status().code(), Code::kCancelled);
  EXPECT_LT(client->stream->timings().output_tokens, 10u);
  expect_as_alone(*other);
  expect_nothing_left(driver);
}

TEST(SequenceCore, gives_up_a_step_that_nobody_wants_any_more) {
  SequenceDriver driver(Keys{{"row_us", "1000"}, {"part_rows", "8"}});
  const auto client = driver.ask(sequence_request(prompt_of(400, 1), 5));
  const SequenceCore::Turn turn = driver.core().plan(driver.clock().now());
  ASSERT_NE(turn.step, nullptr);
  EXPECT_FALSE(turn.step->abort());
  client->stream->cancel();
  EXPECT_TRUE(turn.step->abort());
  const TimePoint began = driver.clock().now();
  const Status status = driver.backend().decode(*turn.step);
  EXPECT_EQ(status.code(), Code::kCancelled);
  driver.core().commit(status, began, driver.clock().now());
  EXPECT_EQ(client->status().code(), Code::kCancelled);
  EXPECT_EQ(driver.counts().step_aborts, 1u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, pauses_a_slow_readers_sequences_and_nobody_elses) {
  SequenceDriver driver(Keys{});
  const auto slow = driver.ask(sequence_request(prompt_of(20, 1), 200));
  const auto quick = driver.ask(sequence_request(prompt_of(20, 2), 200));
  slow->reads = false;
  driver.run();
  expect_as_alone(*quick);
  EXPECT_FALSE(slow->ended);
  EXPECT_EQ(driver.counts().pauses, 1u);
  EXPECT_LT(driver.state().running.front()->timings.output_tokens, 40u);
  slow->reads = true;
  slow->read();
  driver.run();
  expect_as_alone(*slow);
  expect_nothing_left(driver);
}

TEST(SequenceCore, sends_a_slow_readers_sequence_outside_when_others_need_its_cells) {
  SequenceDriver driver(Keys{{"cells", "256"}});
  const auto slow = driver.ask(sequence_request(prompt_of(150, 1), 60));
  slow->reads = false;
  driver.run();
  const auto quick = driver.ask(sequence_request(prompt_of(150, 2), 60));
  driver.run();
  expect_as_alone(*quick);
  slow->reads = true;
  slow->read();
  driver.run();
  expect_as_alone(*slow);
  expect_nothing_left(driver);
}

TEST(SequenceCore, ends_whoever_ran_out_of_time) {
  SequenceDriver driver(Keys{{"row_us", "1000"}}, running_at_most(1));
  auto first = sequence_request(prompt_of(20, 1), 500);
  first->deadline = driver.clock().now() + milliseconds(100);
  auto second = sequence_request(prompt_of(20, 2), 5);
  second->queue_timeout = milliseconds(50);
  const auto running = driver.ask(first);
  const auto waiting = driver.ask(second);
  driver.run();
  EXPECT_EQ(running->status().code(), Code::kDeadlineExceeded);
  EXPECT_GT(running->answers[0].size(), 10u) << "what was drawn had been sent";
  EXPECT_EQ(waiting->status().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(driver.counts().expired, 2u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, a_step_that_fails_fails_those_in_it_alone) {
  SequenceDriver driver(Keys{{"fail_at", "3"}, {"fail_rows", "1"}}, running_at_most(2));
  std::vector<std::shared_ptr<SequenceClient>> clients;
  for (std::uint64_t i = 0; i < 4; ++i) {
    clients.push_back(driver.ask(sequence_request(prompt_of(20, i), 10)));
  }
  driver.run();
  EXPECT_EQ(clients[0]->status().code(), Code::kInternal);
  EXPECT_EQ(clients[1]->status().code(), Code::kInternal);
  expect_as_alone(*clients[2]);
  expect_as_alone(*clients[3]);
  expect_nothing_left(driver);
}

TEST(SequenceCore, goes_on_when_the_engine_has_less_room_than_counted) {
  SequenceDriver driver(Keys{{"fail_every", "7"}, {"fail_code", "resource_exhausted"}});
  std::vector<std::shared_ptr<SequenceClient>> clients;
  for (std::uint64_t i = 0; i < 4; ++i) {
    clients.push_back(driver.ask(sequence_request(prompt_of(20, i), 30)));
  }
  driver.run();
  EXPECT_GT(driver.counts().engine_full, 0u);
  std::size_t answered = 0;
  for (const auto& client : clients) {
    ASSERT_TRUE(client->ended);
    if (client->status().ok()) ++answered;
  }
  EXPECT_GE(answered, 3u) << "only one that is alone and still has no room fails";
  expect_nothing_left(driver);
}

// Allows a fixed text, then the end.
class FixedText final : public TokenConstraint {
 public:
  FixedText(std::vector<Token> text, Token end) : text_(std::move(text)), end_(end) {}
  Status allow(std::span<std::uint32_t> mask) override {
    std::fill(mask.begin(), mask.end(), 0);
    const auto token = static_cast<std::size_t>(at_ < text_.size() ? text_[at_] : end_);
    mask[token / 32] |= 1U << (token % 32);
    return {};
  }
  Status accept(Token token) override {
    if (at_ >= text_.size() || token != text_[at_]) return {Code::kInternal, "not allowed"};
    ++at_;
    return {};
  }
  bool finished() const override { return false; }
  std::unique_ptr<TokenConstraint> fork() const override {
    return std::make_unique<FixedText>(*this);
  }

 private:
  std::vector<Token> text_;
  Token end_;
  std::size_t at_ = 0;
};

TEST(SequenceCore, says_only_what_a_constraint_allows) {
  SequenceDriver driver(Keys{});
  auto request = sequence_request(prompt_of(20, 1), 50);
  const std::vector<Token> text = {'{', '}', '!'};
  const Token end = driver.backend().model().ends.front();
  sequence_input(*request).constraint = std::make_shared<FixedText>(text, end);
  sequence_input(*request).sequences = 2;
  const auto client = driver.ask(request);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok()) << client->status().to_string();
  EXPECT_EQ(client->answers, (std::vector<std::vector<Token>>{text, text}));
  EXPECT_EQ(client->finishes[1], FinishReason::kStop);
}

TEST(SequenceCore, gives_log_probabilities_of_answer_and_prompt) {
  SequenceDriver driver(Keys{});
  auto request = sequence_request(prompt_of(70, 1), 5);
  sequence_input(*request).top_logprobs = 3;
  sequence_input(*request).prompt_logprobs = true;
  driver.ask(sequence_request(prompt_of(70, 1), 5));
  driver.run();
  const auto client = driver.ask(request);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok());
  ASSERT_EQ(client->prompt.size(), 69u) << "although the prompt was in the cache";
  EXPECT_EQ(client->prompt[0].token, prompt_of(70, 1)[1]);
  for (const SampledToken& token : client->prompt) {
    EXPECT_LT(token.logprob, 0);
    EXPECT_EQ(token.top.size(), 3u);
  }
  ASSERT_EQ(client->tokens.size(), 5u);
  for (const SampledToken& token : client->tokens) EXPECT_EQ(token.top.size(), 3u);
}

TEST(SequenceCore, keeps_adapters_apart_and_gives_each_its_turn) {
  SequenceDriver driver(Keys{{"step_us", "1000"}, {"row_us", "1000"}});
  const auto first = make_adapter(driver, 1);
  const auto second = make_adapter(driver, 2);
  const auto lone = driver.ask(sequence_request(prompt_of(60, 1), 30), second);
  driver.run();
  const auto a = driver.ask(sequence_request(prompt_of(60, 5), 400), first);
  driver.run_for(milliseconds(50));
  auto request = sequence_request(prompt_of(60, 2), 30);
  const auto b = driver.ask(request, second);
  const auto base = driver.ask(sequence_request(prompt_of(60, 1), 30));
  driver.run();
  EXPECT_TRUE(a->ended && b->ended && base->ended);
  EXPECT_LE(
      b->stream->timings().first_token.count(), 3 * lone->stream->timings().first_token.count()
  );
  EXPECT_EQ(base->stream->timings().cached_tokens, 0u) << "not with an adapter's state";
  expect_as_alone(*base);
  EXPECT_NE(base->answers, lone->answers);
  EXPECT_GT(driver.counts().adapter_switches, 2u);
  expect_nothing_left(driver);
}

TEST(SequenceCore, forgets_what_was_computed_with_a_removed_adapter) {
  SequenceDriver driver(Keys{});
  const auto adapter = make_adapter(driver, 3);
  driver.ask(sequence_request(prompt_of(60, 1), 5), adapter);
  driver.run();
  EXPECT_GT(driver.state().tree.cells(), 0u);
  const auto running = driver.ask(sequence_request(prompt_of(60, 1), 50), adapter);
  driver.step();
  driver.core().forget_adapter(*adapter);
  driver.run();
  EXPECT_TRUE(running->ended && running->status().ok()) << "who runs with it goes on";
  EXPECT_EQ(driver.state().tree.cells(), 0u);
  expect_nothing_left(driver);
}

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Largest and mean gap between parts in a time.
struct Gaps {
  double largest = 0;
  double mean = 0;
};
Gaps gaps_between(const SequenceClient& client, TimePoint from, TimePoint to) {
  Gaps gaps;
  std::size_t count = 0;
  for (std::size_t i = 1; i < client.arrivals.size(); ++i) {
    if (client.arrivals[i - 1] < from || client.arrivals[i] > to) continue;
    const double gap = seconds_of(client.arrivals[i] - client.arrivals[i - 1]);
    gaps.largest = std::max(gaps.largest, gap);
    gaps.mean += gap;
    ++count;
  }
  gaps.mean /= static_cast<double>(std::max<std::size_t>(count, 1));
  return gaps;
}

// Like a small model on one core.
const Keys kSlowModel = {
    {"step_us", "8000"},
    {"row_us", "4000"},
    {"cell_ns", "500"},
    {"context_length", "8192"},
    {"cells", "16384"},
};

TEST(SequenceCore, a_long_prompt_neither_stalls_streams_nor_starves) {
  SequenceDriver lone(kSlowModel);
  const auto quiet_prompt = lone.ask(sequence_request(prompt_of(4000, 9), 1));
  lone.run();
  const double prompt_alone = seconds_of(quiet_prompt->stream->timings().first_token);

  SequenceDriver driver(kSlowModel);
  std::vector<std::shared_ptr<SequenceClient>> streams;
  for (std::uint64_t i = 0; i < 3; ++i) {
    streams.push_back(driver.ask(sequence_request(prompt_of(20, i), 4000)));
  }
  driver.run_for(std::chrono::seconds(2));
  const TimePoint arrived = driver.clock().now();
  const auto prompt = driver.ask(sequence_request(prompt_of(4000, 9), 1));
  while (!prompt->ended) ASSERT_TRUE(driver.step());
  const Gaps quiet = gaps_between(*streams[0], arrived - std::chrono::seconds(1), arrived);
  const Gaps busy = gaps_between(*streams[0], arrived, driver.clock().now());
  EXPECT_LE(busy.largest, 4 * quiet.mean);
  EXPECT_LE(busy.mean, quiet.mean / 0.4);
  EXPECT_LE(seconds_of(prompt->stream->timings().first_token), 2.5 * prompt_alone);
  for (const auto& stream : streams) stream->stream->cancel();
}

TEST(SequenceCore, a_short_prompt_passes_a_long_one_that_is_being_read) {
  SequenceDriver driver(kSlowModel);
  const auto stream = driver.ask(sequence_request(prompt_of(20, 1), 4000));
  driver.run_for(std::chrono::seconds(1));
  const auto long_one = driver.ask(sequence_request(prompt_of(4000, 2), 5));
  driver.run_for(std::chrono::seconds(2));
  const auto short_one = driver.ask(sequence_request(prompt_of(50, 3), 5));
  while (!short_one->ended) ASSERT_TRUE(driver.step());
  EXPECT_FALSE(long_one->ended);
  EXPECT_LT(seconds_of(short_one->stream->timings().first_token), 3);
  while (!long_one->ended) ASSERT_TRUE(driver.step());
  stream->stream->cancel();
}

TEST(SequenceCore, who_asks_rarely_does_not_wait_behind_a_flood) {
  const auto ask_one = [](SequenceDriver& driver, std::uint64_t number) {
    const auto client = driver.ask(sequence_request(prompt_of(60, 1000 + number), 20, "rare"));
    while (!client->ended) EXPECT_TRUE(driver.step());
    return client;
  };
  SequenceDriver quiet(kSlowModel);
  const TimePoint start = quiet.clock().now();
  ask_one(quiet, 0);
  const double alone_seconds = seconds_of(quiet.clock().now() - start);

  SequenceDriver driver(kSlowModel);
  std::vector<std::shared_ptr<SequenceClient>> flood;
  std::uint64_t asked = 0;
  const auto keep_up = [&] {
    std::erase_if(flood, [](const auto& client) { return client->ended; });
    while (flood.size() < 49) {
      flood.push_back(driver.ask(sequence_request(prompt_of(60, ++asked), 40, "flood")));
    }
  };
  keep_up();
  driver.run_for(std::chrono::seconds(20));
  double worst = 0;
  double sum = 0;
  for (std::uint64_t i = 0; i < 10; ++i) {
    keep_up();
    const TimePoint began = driver.clock().now();
    const auto client = driver.ask(sequence_request(prompt_of(60, 1000 + i), 20, "rare"));
    while (!client->ended) {
      ASSERT_TRUE(driver.step());
      keep_up();
    }
    const double took = seconds_of(driver.clock().now() - began);
    worst = std::max(worst, took);
    sum += took;
  }
  EXPECT_LE(sum / 10, 3 * alone_seconds) << "worst " << worst / alone_seconds;
  for (const auto& client : flood) client->stream->cancel();
}

struct KeyLoad {
  double weight = 1;
  std::size_t prompt = 30;
};

// Keeps so many of each key's requests waiting or running for a while, and counts what those that
// ended were given, as the queue counts.
std::map<std::string, double> given_under_load(
    SequenceDriver& driver, const std::map<std::string, KeyLoad>& loads
) {
  std::map<std::string, std::vector<std::shared_ptr<SequenceClient>>> clients;
  std::map<std::string, double> given;
  std::uint64_t number = 0;
  for (int step = 0; step < 2000; ++step) {
    for (const auto& [key, load] : loads) {
      auto& own = clients[key];
      std::erase_if(own, [&, prompt = load.prompt](const auto& client) {
        if (client->ended) given[key] += static_cast<double>(prompt + 2 * client->tokens.size());
        return client->ended;
      });
      while (own.size() < 20) {
        auto request = sequence_request(prompt_of(load.prompt, ++number), 20, key);
        request->principal.weight = load.weight;
        own.push_back(driver.ask(request));
      }
    }
    EXPECT_TRUE(driver.step());
  }
  for (auto& [key, own] : clients) {
    for (const auto& client : own) client->stream->cancel();
  }
  return given;
}

TEST(SequenceCore, keys_that_always_ask_get_tokens_by_their_weights) {
  for (const char* const row_us : {"10", "4000"}) {
    SequenceDriver driver(
        Keys{{"step_us", "5000"}, {"row_us", row_us}, {"cells", "2000"}}, running_at_most(16)
    );
    auto given = given_under_load(driver, {{"heavy", {3, 30}}, {"light", {1, 30}}});
    EXPECT_NEAR(given["heavy"] / given["light"], 3, 0.4) << "rows of " << row_us << " us";
  }
}

TEST(SequenceCore, keys_get_tokens_by_their_weights_whatever_their_prompts_and_places) {
  for (const std::size_t places : {4U, 8U}) {
    SequenceDriver driver(
        Keys{{"step_us", "1000"}, {"row_us", "1000"}, {"cells", "2000"}}, running_at_most(places)
    );
    auto given = given_under_load(
        driver, {{"heavy", {3, 120}}, {"long", {1, 134}}, {"middle", {2, 50}}, {"short", {1, 11}}}
    );
    EXPECT_NEAR(given["heavy"] / given["short"], 3, 0.5) << places << " places";
    EXPECT_NEAR(given["middle"] / given["short"], 2, 0.4) << places << " places";
    EXPECT_NEAR(given["long"] / given["short"], 1, 0.3) << places << " places";
  }
}

TEST(SequenceCore, whoever_is_ahead_waits_for_no_key_that_stands_still) {
  SequenceDriver driver(Keys{}, running_at_most(4));
  std::vector<std::shared_ptr<SequenceClient>> slow;
  for (std::uint64_t i = 0; i < 8; ++i) {
    auto request = sequence_request(prompt_of(20, i), 200, "slow");
    request->principal.weight = 100;
    slow.push_back(driver.ask(request));
    slow.back()->reads = false;
  }
  driver.run();
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto quick = driver.ask(sequence_request(prompt_of(20, 100 + i), 20, "quick"));
    driver.run();
    EXPECT_TRUE(quick->ended) << i;
  }
}

TEST(SequenceCore, a_higher_class_overtakes_whoever_waits) {
  SequenceDriver driver(Keys{{"step_us", "1000"}}, running_at_most(2));
  std::vector<std::shared_ptr<SequenceClient>> normal;
  for (std::uint64_t i = 0; i < 8; ++i) {
    normal.push_back(driver.ask(sequence_request(prompt_of(20, i), 20, "normal")));
  }
  for (int i = 0; i < 3; ++i) driver.step();
  std::vector<std::shared_ptr<SequenceClient>> urgent;
  for (std::uint64_t i = 0; i < 4; ++i) {
    auto request = sequence_request(prompt_of(20, 100 + i), 20, "urgent");
    request->principal.priority_class = PriorityClass::kHigh;
    urgent.push_back(driver.ask(request));
  }
  auto polite = sequence_request(prompt_of(20, 200), 20, "polite");
  polite->niceness = 1;
  const auto last = driver.ask(polite);
  const auto ended = [](const auto& client) { return client->ended; };
  while (!std::all_of(urgent.begin(), urgent.end(), ended)) ASSERT_TRUE(driver.step());
  EXPECT_LE(std::count_if(normal.begin(), normal.end(), ended), 2) << "those that ran before it";
  while (!last->ended) ASSERT_TRUE(driver.step());
  EXPECT_TRUE(std::all_of(normal.begin(), normal.end(), ended)) << "who is nice stays behind";
}

TEST(SequenceCore, a_prompt_that_came_in_is_read_whatever_higher_classes_ask) {
  SequenceDriver driver(Keys{{"step_rows_max", "1"}, {"row_us", "1000"}}, running_at_most(4));
  auto low = sequence_request(prompt_of(10, 1), 1, "low");
  low->principal.priority_class = PriorityClass::kBackground;
  const auto waiting = driver.ask(low);
  ASSERT_TRUE(driver.step());
  std::vector<std::shared_ptr<SequenceClient>> high;
  for (std::uint64_t steps = 0; steps < 1000; ++steps) {
    std::erase_if(high, [](const auto& client) { return client->ended; });
    while (high.size() < 4) {
      auto request = sequence_request(prompt_of(40, 100 + steps * 4 + high.size()), 1, "high");
      request->principal.priority_class = PriorityClass::kHigh;
      high.push_back(driver.ask(request));
    }
    ASSERT_TRUE(driver.step());
  }
  EXPECT_TRUE(waiting->ended);
}

// Steps until a request ends whose first 400 tokens somebody else's long prompt has, too, while
// so many other keys ask on.
std::size_t steps_behind(SequenceDriver& driver, PriorityClass priority, std::size_t keys) {
  auto request = sequence_request(joined(prompt_of(400, 1), prompt_of(20, 4)), 1, "chat");
  request->principal.priority_class = priority;
  const auto client = driver.ask(request);
  std::size_t steps = 0;
  for (; !client->ended && steps < 300; ++steps) {
    for (std::uint64_t i = 0; i < 2; ++i) {
      const std::uint64_t number = 1000 + steps * 2 + i;
      const std::string key = "other" + std::to_string(number % keys);
      driver.ask(sequence_request(prompt_of(48, number), 1, key));
    }
    EXPECT_TRUE(driver.step());
  }
  return steps;
}

Keys long_prompts() {
  return {
      {"cells", "16384"},
      {"context_length", "2048"},
      {"sequences_max", "256"},
      {"step_rows_max", "64"},
      {"step_us", "1000"},
      {"row_us", "100"},
  };
}

std::vector<Token> long_prompt() { return joined(prompt_of(400, 1), prompt_of(800, 2)); }

TEST(SequenceCore, a_prompt_of_a_lower_class_is_read_as_early_as_who_follows_it) {
  SequenceDriver driver(long_prompts());
  auto low = sequence_request(long_prompt(), 2, "batch");
  low->principal.priority_class = PriorityClass::kBackground;
  driver.ask(low);
  ASSERT_TRUE(driver.step());
  EXPECT_LT(steps_behind(driver, PriorityClass::kHigh, 12), 20U);
  EXPECT_EQ(driver.counts().prefix_waits, 1U);
}

TEST(SequenceCore, a_prompt_of_a_key_with_many_is_read_as_early_as_who_follows_it) {
  SequenceDriver driver(long_prompts());
  driver.ask(sequence_request(long_prompt(), 2, "other0"));
  ASSERT_TRUE(driver.step());
  EXPECT_LT(steps_behind(driver, PriorityClass::kNormal, 1), 20U);
  EXPECT_EQ(driver.counts().prefix_waits, 1U);
}

TEST(SequenceCore, a_prefix_with_a_name_is_read_as_early_as_who_follows_it) {
  SequenceDriver driver(long_prompts());
  PrefixArrival prefix;
  prefix.name = "pirate";
  prefix.space = prefix_space(joined_names("default", "default"), "", nullptr, 1);
  prefix.tokens = long_prompt();
  driver.core().add_prefix(std::move(prefix));
  ASSERT_TRUE(driver.step());
  EXPECT_LT(steps_behind(driver, PriorityClass::kHigh, 12), 20U);
  EXPECT_EQ(driver.counts().prefix_waits, 1U);
}

TEST(SequenceCore, gives_everything_back_when_it_closes) {
  SequenceDriver driver(Keys{}, running_at_most(2));
  std::vector<std::shared_ptr<SequenceClient>> clients;
  for (std::uint64_t i = 0; i < 5; ++i) {
    clients.push_back(driver.ask(sequence_request(prompt_of(20, i), 100)));
  }
  for (int i = 0; i < 5; ++i) driver.step();
  driver.core().close({Code::kUnavailable, "over"}, driver.clock().now());
  for (const auto& client : clients) EXPECT_EQ(client->status().code(), Code::kUnavailable);
  expect_nothing_left(driver);
}

}  // namespace
}  // namespace cortex::scheduler
