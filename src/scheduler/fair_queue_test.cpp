// SPDX-License-Identifier: Apache-2.0
#include "scheduler/fair_queue.h"

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

FairEntry fair_entry(std::uint64_t ticket, std::string flow, std::size_t level = 1) {
  FairEntry entry;
  entry.ticket = ticket;
  entry.flow = std::move(flow);
  entry.level = level;
  return entry;
}

// Serves whoever is first; each costs `tokens`.
std::uint64_t serve_first(FairQueue& queue, const std::string& flow, double tokens) {
  const std::uint64_t ticket = queue.heads().front();
  queue.take(ticket);
  queue.charge(flow, tokens);
  queue.leave(flow);
  return ticket;
}

TEST(FairQueue, serves_one_flow_in_the_order_of_arrival) {
  FairQueue queue;
  for (std::uint64_t i = 1; i <= 3; ++i) queue.push(fair_entry(i, "a"));
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(serve_first(queue, "a", 10), i);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(FairQueue, lets_the_flow_that_was_given_least_go_first) {
  FairQueue queue;
  for (std::uint64_t i = 1; i <= 50; ++i) queue.push(fair_entry(i, "many"));
  EXPECT_EQ(serve_first(queue, "many", 100), 1u);
  queue.push(fair_entry(100, "one"));
  queue.charge("many", 1);
  EXPECT_EQ(queue.heads().front(), 100u) << "not behind forty-nine others";
}

TEST(FairQueue, gives_a_flow_of_twice_the_weight_twice_as_much) {
  FairQueue queue;
  for (std::uint64_t i = 0; i < 60; ++i) {
    FairEntry heavy = fair_entry(2 * i, "heavy");
    heavy.weight = 2;
    queue.push(heavy);
    queue.push(fair_entry(2 * i + 1, "light"));
  }
  int heavy = 0;
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t ticket = queue.heads().front();
    const std::string flow = ticket % 2 == 0 ? "heavy" : "light";
    serve_first(queue, flow, 10);
    heavy += ticket % 2 == 0 ? 1 : 0;
  }
  EXPECT_NEAR(heavy, 40, 1);
}

TEST(FairQueue, owes_nothing_to_a_flow_that_was_away) {
  FairQueue queue;
  queue.push(fair_entry(1, "idle"));
  serve_first(queue, "idle", 1);
  for (std::uint64_t i = 10; i < 30; ++i) queue.push(fair_entry(i, "busy"));
  for (int i = 0; i < 10; ++i) serve_first(queue, "busy", 1000);
  for (std::uint64_t i = 30; i < 50; ++i) queue.push(fair_entry(i, "idle"));
  int idle_in_a_row = 0;
  while (queue.heads().front() >= 30) {
    serve_first(queue, "idle", 1000);
    ++idle_in_a_row;
  }
  EXPECT_LE(idle_in_a_row, 2) << "it was away, and is given no more than the others for that";
}

TEST(FairQueue, serves_a_higher_class_first_and_a_starved_one_once) {
  FairQueue queue;
  queue.push(fair_entry(1, "low", 2));
  std::size_t served = 0;
  for (std::uint64_t i = 10;; ++i, ++served) {
    queue.push(fair_entry(i, "high", 0));
    if (queue.heads().front() == 1) break;
    serve_first(queue, "high", 1);
    ASSERT_LE(served, FairQueue::kPassedOverMax);
  }
  EXPECT_EQ(served, FairQueue::kPassedOverMax);
}

TEST(FairQueue, serves_the_earliest_deadline_of_a_flow_first) {
  FairQueue queue;
  queue.push(fair_entry(1, "a"));
  FairEntry urgent = fair_entry(2, "a");
  urgent.deadline = TimePoint(std::chrono::seconds(5));
  queue.push(urgent);
  EXPECT_EQ(serve_first(queue, "a", 1), 2u);
}

TEST(FairQueue, serves_the_least_nice_of_a_flow_first_and_of_another_flow_not_sooner) {
  FairQueue queue;
  FairEntry nice = fair_entry(1, "a");
  nice.niceness = 1;
  queue.push(nice);
  FairEntry urgent = fair_entry(2, "a");
  urgent.deadline = TimePoint(std::chrono::seconds(5));
  queue.push(urgent);
  FairEntry pushing = fair_entry(3, "a");
  pushing.niceness = -1000;
  queue.push(pushing);
  queue.push(fair_entry(4, "b"));
  queue.charge("a", 1);
  EXPECT_EQ(serve_first(queue, "b", 5), 4u) << "who pushes gets no more of the others' share";
  EXPECT_EQ(serve_first(queue, "a", 1), 3u);
  EXPECT_EQ(serve_first(queue, "a", 1), 2u);
  EXPECT_EQ(serve_first(queue, "a", 1), 1u);
}

TEST(FairQueue, counts_how_often_a_level_was_passed_over) {
  FairQueue queue;
  queue.push(fair_entry(1, "low", 2));
  queue.push(fair_entry(2, "high", 0));
  serve_first(queue, "high", 1);
  EXPECT_EQ(queue.passed_over(2), 1u);
  EXPECT_EQ(queue.passed_over(1), 0u) << "nobody waits there";
  serve_first(queue, "low", 1);
  EXPECT_EQ(queue.passed_over(2), 0u);
}

TEST(FairQueue, gives_the_head_of_every_flow_so_that_one_may_be_passed_over) {
  FairQueue queue;
  queue.push(fair_entry(1, "a"));
  queue.push(fair_entry(2, "a"));
  queue.push(fair_entry(3, "b"));
  EXPECT_EQ(queue.heads(), (std::vector<std::uint64_t>{1, 3}));
}

TEST(FairQueue, drops_whoever_left_and_forgets_flows_that_need_not_be_known) {
  FairQueue queue;
  queue.push(fair_entry(1, "a"));
  queue.push(fair_entry(2, "a"));
  queue.drop(1);
  EXPECT_EQ(queue.heads(), (std::vector<std::uint64_t>{2}));
  queue.drop(2);
  EXPECT_TRUE(queue.heads().empty());
}

}  // namespace
}  // namespace cortex::scheduler
