// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::prompt_of;
using testing::sequence_request;
using testing::SequenceClient;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;
using Clients = std::vector<std::shared_ptr<SequenceClient>>;

constexpr std::size_t kPrompt = 48;
constexpr std::size_t kAnswer = 32;
constexpr std::chrono::seconds kMeasured{20};

// A small model on one core: rows are dear, a step's fixed part is little.
Keys small_model() { return {{"step_us", "3000"}, {"row_us", "2000"}, {"cells", "16384"}}; }

SequenceCoreOptions within(Duration first_token_max) {
  SequenceCoreOptions options;
  options.first_token_max = std::chrono::duration_cast<microseconds>(first_token_max);
  return options;
}

Duration first_token_of(const SequenceClient& client) {
  return client.arrivals.front() - client.request->arrival;
}

Duration first_token_alone() {
  SequenceDriver driver(small_model());
  const auto client = driver.ask(sequence_request(prompt_of(kPrompt, 1), kAnswer));
  driver.run();
  return first_token_of(*client);
}

struct Full {
  double rate = 0;  // answers per second
  Duration gap{};   // between tokens, the median
};

Duration longest_gap(const SequenceClient& client) {
  Duration longest{};
  for (std::size_t i = 1; i < client.arrivals.size(); ++i) {
    longest = std::max(longest, client.arrivals[i] - client.arrivals[i - 1]);
  }
  return longest;
}

Duration median_gap(const Clients& clients) {
  std::vector<Duration> gaps;
  for (const auto& client : clients) {
    for (std::size_t i = 1; i < client->arrivals.size(); ++i) {
      gaps.push_back(client->arrivals[i] - client->arrivals[i - 1]);
    }
  }
  std::nth_element(gaps.begin(), gaps.begin() + std::ssize(gaps) / 2, gaps.end());
  return gaps[gaps.size() / 2];
}

// With eight clients that each wait for their answer.
Full full_load() {
  SequenceDriver driver(small_model());
  Clients clients;
  std::uint64_t number = 0;
  const TimePoint begin = driver.clock().now();
  while (number < 64) {
    const auto inside = std::count_if(clients.begin(), clients.end(), [](const auto& client) {
      return !client->ended;
    });
    for (auto i = inside; i < 8; ++i) {
      clients.push_back(driver.ask(sequence_request(prompt_of(kPrompt, ++number), kAnswer)));
    }
    driver.step();
  }
  driver.run();
  const double seconds = std::chrono::duration<double>(driver.clock().now() - begin).count();
  return {static_cast<double>(clients.size()) / seconds, median_gap(clients)};
}

// A Poisson process of so many requests a second; who is due during a step comes behind it and is
// counted from when it was due.
Clients ask_at_rate(
    SequenceDriver& driver,
    double rate,
    const std::vector<std::string>& keys,
    std::chrono::seconds time = kMeasured
) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(rate);
  Clients clients;
  const TimePoint begin = driver.clock().now();
  TimePoint due = begin;
  while (due < begin + time) {
    while (driver.clock().now() < due && driver.step()) {
    }
    if (driver.clock().now() < due) driver.clock().advance(due - driver.clock().now());
    const std::string& key = keys[clients.size() % keys.size()];
    const auto request = sequence_request(prompt_of(kPrompt, 100 + clients.size()), kAnswer, key);
    clients.push_back(driver.ask(request));
    request->arrival = due;
    due += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(gap(random)));
  }
  driver.run();
  return clients;
}

struct Outcome {
  std::size_t good = 0;
  std::size_t late = 0;
  std::size_t halting = 0;
  std::size_t refused = 0;
};

Outcome outcome_of(const Clients& clients, Duration first_token_max, Duration gap_max) {
  Outcome out;
  for (const auto& client : clients) {
    if (client->status().code() == Code::kResourceExhausted) {
      EXPECT_TRUE(client->status().retry_after().has_value());
      ++out.refused;
      continue;
    }
    EXPECT_TRUE(client->status().ok());
    EXPECT_EQ(client->answers.at(0).size(), kAnswer);
    const bool late = first_token_of(*client) > first_token_max;
    const bool halting = longest_gap(*client) > gap_max;
    if (late) ++out.late;
    if (halting) ++out.halting;
    if (!late && !halting) ++out.good;
  }
  return out;
}

TEST(SequenceOverload, at_twice_the_capacity_what_is_let_in_is_served_in_time) {
  const Full full = full_load();
  const Duration first_token_max = 5 * first_token_alone();
  SequenceDriver driver(small_model(), within(first_token_max));
  const Clients clients = ask_at_rate(driver, 2 * full.rate, {"key"});
  const Outcome out = outcome_of(clients, first_token_max, 4 * full.gap);
  const double goodput =
      static_cast<double>(out.good) / std::chrono::duration<double>(kMeasured).count();
  EXPECT_GE(goodput, 0.9 * full.rate)
      << out.late << " late, " << out.halting << " halting, " << out.refused << " refused";
  EXPECT_LE(out.late, clients.size() / 50);
  EXPECT_EQ(driver.counts().rejected_time, out.refused);
}

TEST(SequenceOverload, of_what_the_model_can_serve_next_to_nothing_is_refused) {
  const Full full = full_load();
  const Duration first_token_max = 10 * first_token_alone();
  SequenceDriver driver(small_model(), within(first_token_max));
  const Clients clients = ask_at_rate(driver, 0.5 * full.rate, {"key"});
  const Outcome out = outcome_of(clients, first_token_max, 4 * full.gap);
  EXPECT_LE(out.refused, clients.size() / 100);
}

// A second key asks for a twentieth of what the first floods the model with.
TEST(SequenceOverload, a_flood_of_one_key_has_hardly_anybody_else_refused) {
  const Full full = full_load();
  const Duration first_token_max = 5 * first_token_alone();
  SequenceDriver driver(small_model(), within(first_token_max));
  std::vector<std::string> keys(20, "flood");
  keys.back() = "polite";
  Clients clients = ask_at_rate(driver, 2 * full.rate, keys, 3 * kMeasured);
  std::erase_if(clients, [](const auto& client) {
    return client->request->principal.key == "flood";
  });
  const Outcome out = outcome_of(clients, first_token_max, 4 * full.gap);
  EXPECT_LE(out.refused, clients.size() / 5) << "of " << clients.size();
  EXPECT_LE(out.late, clients.size() / 5);
}

// Keeps so many requests of one key going.
class Flood {
 public:
  Flood(SequenceDriver& driver, std::size_t clients) : driver_(driver), clients_(clients) {}

  // A turn of everybody's.
  void turn() {
    std::erase_if(asked_, [](const auto& client) { return client->ended; });
    while (asked_.size() < clients_) {
      asked_.push_back(driver_.ask(sequence_request(prompt_of(70, ++number_), 64, "flood")));
    }
    driver_.step();
  }

 private:
  SequenceDriver& driver_;
  std::size_t clients_;
  std::uint64_t number_ = 1000;
  Clients asked_;
};

// The longest that somebody waits for a whole answer who asks one at a time beside a flood.
Duration longest_beside(std::size_t flood_clients) {
  SequenceDriver driver({{"step_us", "6500"}, {"row_us", "5100"}, {"cells", "16384"}});
  Flood flood(driver, flood_clients);
  Duration longest{};
  for (std::uint64_t i = 0; i < 9; ++i) {
    for (std::uint64_t turn = 0; flood_clients > 0 && turn < 200 + 7 * i; ++turn) flood.turn();
    const auto polite = driver.ask(sequence_request(prompt_of(20, i), 16, "polite"));
    while (!polite->ended) flood.turn();
    longest = std::max(longest, polite->arrivals.back() - polite->request->arrival);
  }
  return longest;
}

// Two keys share the model: each has half of it. What else there is to wait for is the end of a
// step.
TEST(SequenceOverload, beside_a_flood_of_one_key_anothers_answer_takes_about_twice_as_long) {
  const Duration alone = longest_beside(0);
  EXPECT_LE(longest_beside(49), alone * 22 / 10) << "alone: " << alone.count() << " ns";
}

}  // namespace
}  // namespace cortex::scheduler
