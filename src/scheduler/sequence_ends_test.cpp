// SPDX-License-Identifier: Apache-2.0
// A reader who has heard enough of one sequence and goes on with the others.
#include "request/sequence_ends.h"

#include <gtest/gtest.h>

#include "scheduler/sequence_core.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

constexpr std::size_t kTokens = 100;

struct Forks {
  std::shared_ptr<SequenceEnds> ends = std::make_shared<SequenceEnds>(3);
  std::shared_ptr<Request> request = sequence_request(prompt_of(40, 1), kTokens);
  Forks() {
    sequence_input(*request).sequences = 3;
    sequence_input(*request).ends = ends;
  }
};

TEST(SequenceEnds, end_one_sequence_and_no_other) {
  SequenceDriver driver(Keys{});
  const Forks forks;
  const auto client = driver.ask(forks.request);
  for (int i = 0; i < 10; ++i) driver.step();
  forks.ends->end(1);
  driver.step();
  EXPECT_EQ(driver.state().members.size(), 2u) << "its place in memory is free at once";
  EXPECT_EQ(driver.state().free_ids.size(), driver.state().running_max - 2);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok()) << client->status().to_string();
  EXPECT_EQ(client->answers[0].size(), kTokens);
  EXPECT_EQ(client->answers[1].size(), 10u) << "nothing more was drawn";
  EXPECT_EQ(client->answers[2].size(), kTokens);
  EXPECT_EQ(client->finishes[0], FinishReason::kLength);
  EXPECT_EQ(client->finishes[1], FinishReason::kStop);
  EXPECT_EQ(client->stream->timings().output_tokens, 2 * kTokens + 10);
  EXPECT_EQ(driver.state().cells_used(), driver.state().tree.cells());
  EXPECT_EQ(driver.backend().counts().cells_used, driver.state().tree.cells());
  EXPECT_EQ(driver.state().slots, 0u);
}

TEST(SequenceEnds, of_all_sequences_end_the_request) {
  SequenceDriver driver(Keys{});
  const Forks forks;
  const auto client = driver.ask(forks.request);
  for (int i = 0; i < 5; ++i) driver.step();
  for (std::size_t i = 0; i < 3; ++i) forks.ends->end(i);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok());
  for (const auto& answer : client->answers) EXPECT_EQ(answer.size(), 5u);
}

TEST(SequenceEnds, before_the_prompt_was_read_wait_for_the_first_token) {
  SequenceDriver driver(Keys{{"step_rows_max", "8"}});
  const Forks forks;
  const auto client = driver.ask(forks.request);
  driver.step();
  forks.ends->end(0);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok());
  EXPECT_EQ(client->answers[0].size(), 1u) << "the prompt is the others', too";
  EXPECT_EQ(client->answers[1].size(), kTokens);
}

TEST(SequenceEnds, of_a_sequence_that_waits_outside_free_its_state) {
  SequenceDriver driver(Keys{{"cells", "256"}, {"sequences_max", "16"}, {"row_us", "10000"}});
  const Forks forks;
  const auto client = driver.ask(forks.request);
  while (driver.counts().preempted == 0) ASSERT_TRUE(driver.step());
  std::size_t outside = 0;
  driver.state().each_sequence([&](const LaneSequence& sequence) {
    if (sequence.phase == LaneSequence::Phase::kOutside) outside = sequence.index;
  });
  forks.ends->end(outside);
  driver.run();
  ASSERT_TRUE(client->ended && client->status().ok());
  EXPECT_LT(client->answers[outside].size(), kTokens);
  EXPECT_EQ(driver.state().saved_bytes, 0u);
  EXPECT_EQ(driver.state().cells_used(), driver.state().tree.cells());
}

}  // namespace
}  // namespace cortex::scheduler
