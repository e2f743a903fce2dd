// SPDX-License-Identifier: Apache-2.0
// What the lane of a language model counts of its requests.
#include <numeric>

#include <gtest/gtest.h>

#include "scheduler/sequence_core.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

// Every step takes 10 ms, whatever is in it, and nothing is foretold.
const Keys kTenMilliseconds{{"step_us", "10000"}, {"step_rows_max", "64"}};

SequenceCoreOptions one_at_a_time() {
  SequenceCoreOptions out;
  out.running_max = 1;
  return out;
}

SequenceCoreOptions no_drafts() {
  SequenceCoreOptions out;
  out.draft_tokens_max = 0;
  return out;
}

template <typename Distribution>
std::uint64_t observed(const Distribution& distribution) {
  return std::accumulate(distribution.counts.begin(), distribution.counts.end(), std::uint64_t{0});
}

TEST(SequenceCounts, split_the_time_of_a_request_at_admission_first_token_and_last) {
  SequenceDriver driver(kTenMilliseconds, no_drafts());
  const auto client = driver.ask(sequence_request(prompt_of(20, 1), 11));
  driver.run();
  ASSERT_TRUE(client->ended);
  const SequenceCounts counts = driver.counts();
  EXPECT_NEAR(counts.prefill.sum, 0.010, 1e-6);
  EXPECT_NEAR(counts.decode.sum, 0.100, 1e-6);
  EXPECT_NEAR(counts.inference.sum, counts.prefill.sum + counts.decode.sum, 1e-6);
  EXPECT_NEAR(counts.per_token.sum, 0.010, 1e-6) << "ten tokens behind the first";
  EXPECT_EQ(observed(counts.per_token), 1u);
}

TEST(SequenceCounts, leave_a_readers_slowness_out_of_the_time_of_running) {
  SequenceDriver driver(kTenMilliseconds, no_drafts());
  const auto request = sequence_request(prompt_of(20, 1), 5);
  sequence_input(*request).sequences = 2;  // what one says last waits until the other's is taken
  const auto client = driver.ask(request);
  client->reads = false;
  driver.run();
  driver.clock().advance(milliseconds(5000));
  client->reads = true;
  client->read();
  driver.run();
  ASSERT_TRUE(client->ended);
  EXPECT_NEAR(driver.counts().decode.sum, 0.040, 1e-6);
  EXPECT_NEAR(driver.counts().inference.sum, 0.050, 1e-6);
  EXPECT_GT(driver.counts().end_to_end.sum, 5);
}

TEST(SequenceCounts, say_what_was_asked_for_and_what_came_of_it) {
  SequenceDriver driver(kTenMilliseconds, no_drafts());
  const auto request = sequence_request(prompt_of(20, 1), 7);
  sequence_input(*request).sequences = 3;
  const auto three = driver.ask(request);
  const auto one = driver.ask(sequence_request(prompt_of(20, 2), 1));
  driver.run();
  ASSERT_TRUE(three->ended && one->ended);
  const SequenceCounts counts = driver.counts();
  EXPECT_EQ(counts.request_sequences.sum, 3 + 1);
  EXPECT_EQ(counts.request_tokens_max.sum, 7 + 1);
  EXPECT_EQ(counts.request_longest_tokens.sum, 7 + 1);
  EXPECT_EQ(counts.request_generated_tokens.sum, 3 * 7 + 1);
  EXPECT_EQ(observed(counts.request_sequences), 2u);
  EXPECT_EQ(observed(counts.per_token), 3u) << "one token has none behind it";
}

TEST(SequenceCounts, tell_what_of_a_prompt_was_computed) {
  SequenceDriver driver(kTenMilliseconds);
  const auto first = driver.ask(sequence_request(prompt_of(40, 1), 2));
  driver.run();
  ASSERT_TRUE(first->ended);
  EXPECT_EQ(driver.counts().request_computed_tokens.sum, 40);
  const auto again = driver.ask(sequence_request(prompt_of(40, 1), 2));
  driver.run();
  const auto cached = static_cast<double>(again->stream->timings().cached_tokens);
  EXPECT_GT(cached, 0);
  EXPECT_EQ(driver.counts().request_computed_tokens.sum, 40 + 40 - cached);
}

TEST(SequenceCounts, take_a_prompt_that_was_not_read_to_its_end_for_no_computed_one) {
  SequenceDriver driver(kTenMilliseconds);
  const auto client = driver.ask(sequence_request(prompt_of(200, 1), 5));
  driver.step();
  client->stream->cancel();
  driver.run();
  const SequenceCounts counts = driver.counts();
  EXPECT_EQ(observed(counts.request_computed_tokens), 0u);
  EXPECT_EQ(observed(counts.inference), 0u);
  EXPECT_EQ(observed(counts.request_sequences), 1u);
}

TEST(SequenceCounts, end_sequences_of_whoever_left_as_aborted_but_for_those_that_were_over) {
  SequenceDriver driver(kTenMilliseconds, one_at_a_time());
  const auto left = driver.ask(sequence_request(prompt_of(20, 1), 50));
  const auto never_ran = driver.ask(sequence_request(prompt_of(20, 2), 50));
  driver.step();
  left->stream->cancel();
  never_ran->stream->cancel();
  driver.run();
  SequenceCounts counts = driver.counts();
  EXPECT_EQ(counts.cancelled, 2u);
  EXPECT_EQ(counts.finished_abort, 2u);
  auto late = sequence_request(prompt_of(20, 3), 50);
  late->deadline = driver.clock().now() + milliseconds(50);
  const auto expired = driver.ask(late);
  driver.run();
  ASSERT_TRUE(expired->ended);
  counts = driver.counts();
  EXPECT_EQ(counts.finished_abort, 3u) << "its time was over";
  EXPECT_EQ(counts.finished_error, 0u);
  EXPECT_EQ(counts.finished_stop + counts.finished_length, 0u);
}

TEST(SequenceCounts, end_the_sequences_of_a_step_that_failed_as_errors) {
  SequenceDriver driver(Keys{{"fail_at", "3"}, {"fail_rows", "1"}});
  const auto request = sequence_request(prompt_of(20, 1), 50);
  sequence_input(*request).sequences = 2;
  const auto client = driver.ask(request);
  driver.run();
  EXPECT_FALSE(client->status().ok());
  EXPECT_EQ(driver.counts().failed, 1u);
  EXPECT_EQ(driver.counts().finished_error, 2u);
  EXPECT_EQ(driver.counts().finished_abort, 0u);
}

}  // namespace
}  // namespace cortex::scheduler
