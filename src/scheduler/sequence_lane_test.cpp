// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_lane.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_sequences.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "scheduler/testing/sequence_driver.h"
#include "scheduler/testing/waiter.h"

namespace cortex::scheduler {
namespace {

using testing::Gate;
using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;

// Reads a stream to its end on the lane's thread.
class Listener {
 public:
  void submit(Servable& servable, std::shared_ptr<const Request> request) {
    state_->stream->on_ready([state = std::weak_ptr(state_)] {
      if (const auto alive = state.lock()) alive->read();
    });
    servable.submit(std::move(request), state_->stream);
  }
  const Status& wait() {
    MutexLock lock(state_->mutex);
    while (!state_->ended) state_->condition.wait_until(state_->mutex, kNoDeadline);
    return state_->stream->status();
  }
  void wait_for_tokens(std::size_t count) {
    MutexLock lock(state_->mutex);
    while (state_->tokens.size() < count && !state_->ended) {
      state_->condition.wait_until(state_->mutex, kNoDeadline);
    }
  }
  [[nodiscard]] const std::vector<Token>& tokens() const { return state_->tokens; }
  ResponseStream& stream() { return *state_->stream; }

 private:
  struct State {
    std::shared_ptr<ResponseStream> stream = std::make_shared<ResponseStream>();
    Mutex mutex;
    Condition condition;
    bool ended = false;
    std::vector<Token> tokens;

    void read() {
      MutexLock lock(mutex);
      while (auto part = stream->read()) {
        for (const auto& token : std::get<TokenOutput>(*part).tokens) {
          tokens.push_back(token.token);
        }
      }
      ended = stream->finished();
      condition.notify_all();
    }
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

SequenceLaneOptions lane_bounds(std::size_t running, std::size_t waiting) {
  SequenceLaneOptions options;
  options.running_max = running;
  options.queue_requests_max = waiting;
  return options;
}

class SequenceLaneTest : public ::testing::Test {
 protected:
  void start(SequenceLaneOptions options = {}) {
    backend::SyntheticOptions synthetic;
    synthetic.wait = [this](Duration) {
      if (holds_) gate_.pass();
    };
    auto made = backend::SyntheticSequences::make({{"step_us", "1"}}, std::move(synthetic));
    ASSERT_TRUE(made.ok());
    backend_ = std::move(*made);
    options.identity = {"words", "1"};
    lane_ = std::make_unique<SequenceLane>(options, backend_, steady_clock());
  }
  std::shared_ptr<const backend::SequenceAdapter> load_adapter() {
    const auto file = std::filesystem::path(::testing::TempDir()) / "sequence_lane_adapter";
    std::ofstream(file) << "synthetic adapter\nx\n";
    auto loaded = backend_->load_adapter(file);
    EXPECT_TRUE(loaded.ok());
    return *loaded;
  }

  Gate gate_;  // outlives the lane's thread
  bool holds_ = false;
  std::shared_ptr<backend::SyntheticSequences> backend_;
  std::unique_ptr<SequenceLane> lane_;
};

// Streams hold leases, and a version waits for its leases before it goes: no other request may be
// needed.
TEST_F(SequenceLaneTest, lets_go_of_a_stream_that_ended_before_another_request_comes) {
  start();
  Mutex mutex;
  Condition released;
  bool gone = false;
  {
    const auto stream = std::make_shared<ResponseStream>();
    stream->keep(std::shared_ptr<const void>(&gone, [&](const void*) {
      MutexLock lock(mutex);
      gone = true;
      released.notify_all();
    }));
    lane_->submit(sequence_request(prompt_of(30, 1), 3), stream);
    stream->on_ready([raw = stream.get()] {
      while (raw->read()) {
      }
    });
  }
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(10);
  MutexLock lock(mutex);
  while (!gone && released.wait_until(mutex, deadline)) {
  }
  EXPECT_TRUE(gone);
}

TEST_F(SequenceLaneTest, answers_from_its_own_thread) {
  start();
  std::vector<Listener> listeners(5);
  for (std::size_t i = 0; i < 5; ++i) {
    listeners[i].submit(*lane_, sequence_request(prompt_of(30, i), 20));
  }
  for (Listener& listener : listeners) {
    ASSERT_TRUE(listener.wait().ok()) << listener.wait().to_string();
    EXPECT_EQ(listener.tokens().size(), 20u);
  }
  EXPECT_EQ(lane_->probe().read().generated_tokens, 100u);
}

TEST_F(SequenceLaneTest, refuses_when_the_queue_is_full) {
  holds_ = true;
  start(lane_bounds(1, 1));
  std::vector<Listener> listeners(3);
  listeners[0].submit(*lane_, sequence_request(prompt_of(30, 0), 3));
  gate_.wait_for_arrivals(1);
  listeners[1].submit(*lane_, sequence_request(prompt_of(30, 1), 3));
  listeners[2].submit(*lane_, sequence_request(prompt_of(30, 2), 3));
  EXPECT_EQ(listeners[2].wait().code(), Code::kResourceExhausted);
  EXPECT_TRUE(listeners[2].wait().retry_after().has_value());
  gate_.open();
  EXPECT_TRUE(listeners[1].wait().ok());
}

TEST_F(SequenceLaneTest, ends_everything_when_it_is_destroyed) {
  holds_ = true;
  start(lane_bounds(1, 512));
  std::vector<Listener> listeners(2);
  listeners[0].submit(*lane_, sequence_request(prompt_of(30, 0), 1000));
  gate_.wait_for_arrivals(1);
  listeners[1].submit(*lane_, sequence_request(prompt_of(30, 1), 3));
  Thread destroyer("destroyer", [this] { lane_.reset(); });
  gate_.open();
  EXPECT_EQ(listeners[0].wait().code(), Code::kUnavailable);
  EXPECT_EQ(listeners[1].wait().code(), Code::kUnavailable);
}

TEST_F(SequenceLaneTest, serves_what_is_inside_while_it_drains) {
  holds_ = true;
  start();
  std::vector<Listener> listeners(2);
  listeners[0].submit(*lane_, sequence_request(prompt_of(30, 0), 10));
  gate_.wait_for_arrivals(1);
  lane_->drain();
  listeners[1].submit(*lane_, sequence_request(prompt_of(30, 1), 3));
  EXPECT_EQ(listeners[1].wait().code(), Code::kUnavailable);
  gate_.open();
  EXPECT_TRUE(listeners[0].wait().ok());
}

TEST_F(SequenceLaneTest, knows_adapters_by_name_until_they_are_removed) {
  start();
  const auto request = [] {
    auto out = sequence_request(prompt_of(30, 0), 10);
    sequence_input(*out).adapter = "tuned";
    return out;
  };
  Listener before;
  before.submit(*lane_, request());
  EXPECT_EQ(before.wait().code(), Code::kNotFound);
  std::weak_ptr<const backend::SequenceAdapter> adapter;
  {
    auto loaded = load_adapter();
    adapter = loaded;
    lane_->add_adapter("tuned", std::move(loaded));
  }
  Listener with;
  with.submit(*lane_, request());
  EXPECT_TRUE(with.wait().ok());
  Listener base;
  base.submit(*lane_, sequence_request(prompt_of(30, 0), 10));
  EXPECT_TRUE(base.wait().ok());
  EXPECT_NE(base.tokens(), with.tokens());
  EXPECT_TRUE(lane_->remove_adapter("tuned"));
  EXPECT_FALSE(lane_->remove_adapter("tuned"));
  Listener after;
  after.submit(*lane_, request());
  EXPECT_EQ(after.wait().code(), Code::kNotFound);
  lane_.reset();
  EXPECT_TRUE(adapter.expired());
}

TEST_F(SequenceLaneTest, shows_named_prefixes_and_reads_them_by_itself) {
  start();
  backend::SequencePrefix prefix;
  prefix.name = "pirate";
  prefix.tokens = prompt_of(100, 1);
  ASSERT_TRUE(lane_->create_prefix(prefix).ok());
  EXPECT_EQ(lane_->create_prefix(prefix).code(), Code::kAlreadyExists);
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(20);
  while (lane_->prefixes().at(0).held < 100 && steady_clock().now() < deadline) {
    std::this_thread::yield();
  }
  const PrefixState shown = lane_->prefixes().at(0);
  EXPECT_EQ(shown.name, "pirate");
  EXPECT_EQ(shown.tokens, 100U);
  EXPECT_EQ(shown.held, 100U);
  EXPECT_FALSE(shown.stored);
  auto prompt = prefix.tokens;
  prompt.push_back(7);
  Listener listener;
  listener.submit(*lane_, sequence_request(prompt, 3));
  ASSERT_TRUE(listener.wait().ok());
  EXPECT_EQ(listener.stream().timings().cached_tokens, 100U);
  EXPECT_TRUE(lane_->remove_prefix("pirate"));
  EXPECT_FALSE(lane_->remove_prefix("pirate"));
  EXPECT_TRUE(lane_->prefixes().empty());
}

TEST_F(SequenceLaneTest, refuses_prefixes_that_it_cannot_hold) {
  start();
  const auto refused = [&](std::size_t tokens, const std::string& adapter, Token extra = 5) {
    backend::SequencePrefix prefix;
    prefix.name = "p" + std::to_string(tokens);
    prefix.adapter = adapter;
    prefix.tokens = prompt_of(tokens, 1);
    prefix.tokens.push_back(extra);
    return lane_->create_prefix(std::move(prefix)).code();
  };
  EXPECT_EQ(refused(2000, ""), Code::kInvalidArgument);
  EXPECT_EQ(refused(10, "", 100'000), Code::kInvalidArgument);
  EXPECT_EQ(refused(10, "none"), Code::kNotFound);
  EXPECT_EQ(refused(1000, ""), Code::kOk);
  EXPECT_EQ(refused(1001, ""), Code::kOk);
  EXPECT_EQ(refused(1002, ""), Code::kResourceExhausted);
}

TEST_F(SequenceLaneTest, forgets_an_adapters_prefixes_with_it) {
  start();
  lane_->add_adapter("tuned", load_adapter());
  backend::SequencePrefix prefix;
  prefix.name = "pirate";
  prefix.adapter = "tuned";
  prefix.tokens = prompt_of(100, 1);
  ASSERT_TRUE(lane_->create_prefix(prefix).ok());
  EXPECT_EQ(lane_->prefixes().at(0).adapter, "tuned");
  EXPECT_TRUE(lane_->remove_adapter("tuned"));
  EXPECT_TRUE(lane_->prefixes().empty());
  lane_->add_adapter("tuned", load_adapter());
  EXPECT_TRUE(lane_->create_prefix(prefix).ok());
}

TEST_F(SequenceLaneTest, goes_on_when_a_reader_that_stopped_reads_again) {
  start();
  const auto stream = std::make_shared<ResponseStream>();
  lane_->submit(sequence_request(prompt_of(30, 0), 100), stream);
  Listener other;
  other.submit(*lane_, sequence_request(prompt_of(30, 1), 300));
  ASSERT_TRUE(other.wait().ok());
  std::size_t tokens = 0;
  while (!stream->finished()) {
    if (const auto part = stream->read()) tokens += std::get<TokenOutput>(*part).tokens.size();
  }
  EXPECT_EQ(tokens, 100u);
}

TEST_F(SequenceLaneTest, stops_for_a_client_that_left) {
  start();
  Listener listener;
  listener.submit(*lane_, sequence_request(prompt_of(30, 0), 900));
  listener.wait_for_tokens(3);
  listener.stream().cancel();
  const Status& status = listener.wait();
  EXPECT_TRUE(status.code() == Code::kCancelled || listener.tokens().size() == 900u);
}

}  // namespace
}  // namespace cortex::scheduler
