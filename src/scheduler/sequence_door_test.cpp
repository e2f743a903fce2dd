// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_door.h"

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

Request door_request(std::size_t prompt) {
  Request request;
  SequenceInput input;
  input.prompt.assign(prompt, 5);
  input.tokens_max = 10;
  request.input = std::move(input);
  return request;
}

SequenceDoorOptions door_bounds() {
  SequenceDoorOptions options;
  options.model = "m";
  options.vocabulary_size = 100;
  options.tokens_max = 64;
  options.sequences_max = 4;
  options.queue_requests_max = 3;
  options.queue_tokens_max = 100;
  return options;
}

class SequenceDoorTest : public ::testing::Test {
 protected:
  SequenceProbe probe_;
  SequenceDoor door_{door_bounds(), probe_};
};

TEST_F(SequenceDoorTest, refuses_what_the_model_can_never_serve) {
  EXPECT_EQ(door_.enter(door_request(0)).code(), Code::kInvalidArgument);
  EXPECT_EQ(door_.enter(door_request(64)).code(), Code::kInvalidArgument)
      << "a prompt needs a place for its answer";
  EXPECT_TRUE(door_.enter(door_request(63)).ok());
  Request request = door_request(3);
  std::get<SequenceInput>(request.input).prompt[1] = 100;
  EXPECT_EQ(door_.enter(request).code(), Code::kInvalidArgument);
  request = door_request(3);
  std::get<SequenceInput>(request.input).sequences = 5;
  EXPECT_EQ(door_.enter(request).code(), Code::kInvalidArgument);
  request = door_request(3);
  std::get<SequenceInput>(request.input).tokens_max = 0;
  EXPECT_EQ(door_.enter(request).code(), Code::kInvalidArgument);
  request.input = InferInput{};
  EXPECT_EQ(door_.enter(request).code(), Code::kInvalidArgument);
  EXPECT_EQ(probe_.read().rejected_invalid, 6u);
}

TEST_F(SequenceDoorTest, bounds_the_queue_in_requests) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(door_.enter(door_request(1)).ok());
  const Status full = door_.enter(door_request(1));
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_TRUE(full.retry_after().has_value());
  EXPECT_EQ(probe_.read().rejected_requests, 1u);
  door_.leave(door_request(1));
  EXPECT_TRUE(door_.enter(door_request(1)).ok());
}

TEST_F(SequenceDoorTest, bounds_the_queue_in_tokens_and_estimates_when_to_retry) {
  door_.set_pace(20, 60);
  EXPECT_TRUE(door_.enter(door_request(60)).ok());
  const Status full = door_.enter(door_request(50));
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_EQ(full.retry_after(), std::chrono::milliseconds(3000))
      << "half of sixty and an answer of sixty at twenty a second";
  EXPECT_EQ(probe_.read().rejected_tokens, 1u);
  EXPECT_TRUE(door_.enter(door_request(40)).ok()) << "a smaller one still fits";
}

TEST_F(SequenceDoorTest, bounds_the_queue_in_time_once_the_pace_is_known) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.queue_time_max = std::chrono::milliseconds(2000);
  SequenceDoor door(bounds, probe_);
  EXPECT_TRUE(door.enter(door_request(30)).ok());
  EXPECT_TRUE(door.enter(door_request(30)).ok());
  door.set_pace(20, 0);
  EXPECT_EQ(door.enter(door_request(1)).code(), Code::kResourceExhausted);
  EXPECT_EQ(probe_.read().rejected_time, 1u);
  door.leave(door_request(30));
  EXPECT_TRUE(door.enter(door_request(1)).ok());
}

TEST_F(SequenceDoorTest, lets_nobody_in_while_it_drains) {
  door_.drain();
  EXPECT_EQ(door_.enter(door_request(1)).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace cortex::scheduler
