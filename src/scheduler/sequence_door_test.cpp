// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_door.h"

#include <gtest/gtest.h>

#include "scheduler/request_flow.h"

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

LanePace twenty_a_second(double answer_tokens) {
  LanePace pace;
  pace.read = 0.05;
  pace.answer = 0.05 * answer_tokens;
  return pace;
}

TEST_F(SequenceDoorTest, bounds_the_queue_in_tokens_and_estimates_when_to_retry) {
  door_.set_pace(twenty_a_second(60), {});
  EXPECT_TRUE(door_.enter(door_request(60)).ok());
  const Status full = door_.enter(door_request(50));
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_EQ(full.retry_after(), std::chrono::milliseconds(3000))
      << "half of sixty and an answer of sixty at twenty a second";
  EXPECT_EQ(probe_.read().rejected_tokens, 1u);
  EXPECT_TRUE(door_.enter(door_request(40)).ok()) << "a smaller one still fits";
}

Request request_of(
    std::string key, std::size_t prompt, PriorityClass priority_class = PriorityClass::kNormal
) {
  Request request = door_request(prompt);
  request.principal.key = std::move(key);
  request.principal.priority_class = priority_class;
  return request;
}

TEST_F(SequenceDoorTest, bounds_the_time_to_a_first_token_once_the_pace_is_known) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.first_token_max = std::chrono::seconds(2);
  SequenceDoor door(bounds, probe_);
  EXPECT_TRUE(door.enter(door_request(30)).ok());
  EXPECT_TRUE(door.enter(door_request(30)).ok());
  LanePace pace = twenty_a_second(0);
  pace.free_places = 8;
  pace.free_places_of_new_flows = 8;
  door.set_pace(pace, {});
  const Status full = door.enter(door_request(20));
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_EQ(full.retry_after(), std::chrono::milliseconds(2400))
      << "two are before it, and a tenth more for doubt";
  EXPECT_EQ(probe_.read().rejected_time, 1u);
  door.leave(door_request(30));
  door.leave(door_request(30));
  EXPECT_TRUE(door.enter(door_request(20)).ok());
}

TEST_F(SequenceDoorTest, lets_a_prompt_in_that_takes_too_long_in_any_case_where_nobody_else_is) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.first_token_max = std::chrono::seconds(1);
  SequenceDoor door(bounds, probe_);
  LanePace pace = twenty_a_second(0);
  pace.free_places = 8;
  pace.free_places_of_new_flows = 8;
  door.set_pace(pace, {});
  EXPECT_TRUE(door.enter(door_request(40)).ok());
  EXPECT_EQ(door.enter(door_request(40)).code(), Code::kResourceExhausted);
}

TEST_F(SequenceDoorTest, counts_before_a_newcomer_who_will_be_served_before_it) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.queue_requests_max = 100;
  bounds.first_token_max = std::chrono::seconds(2);
  SequenceDoor door(bounds, probe_);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(door.enter(request_of("flood", 10)).ok());
  LanePace pace = twenty_a_second(0);
  pace.free_places = 100;
  pace.free_places_of_new_flows = 100;
  door.set_pace(pace, {});
  EXPECT_EQ(door.enter(request_of("flood", 10)).code(), Code::kResourceExhausted);
  EXPECT_TRUE(door.enter(request_of("polite", 10)).ok()) << "its turn comes after one of the flood";
  EXPECT_TRUE(door.enter(request_of("served first", 10, PriorityClass::kHigh)).ok());
  Request steps_back = request_of("polite too", 10);
  steps_back.niceness = 1;
  EXPECT_EQ(door.enter(steps_back).code(), Code::kResourceExhausted);
}

TEST_F(SequenceDoorTest, counts_before_a_newcomer_as_many_as_the_weights_have_it) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.queue_requests_max = 100;
  bounds.queue_tokens_max = 1000;
  bounds.first_token_max = std::chrono::seconds(2);
  SequenceDoor door(bounds, probe_);
  for (int i = 0; i < 9; ++i) {
    Request heavy = request_of("heavy", 10);
    heavy.principal.weight = 6;
    EXPECT_TRUE(door.enter(heavy).ok());
  }
  LanePace pace = twenty_a_second(0);
  pace.free_places = 100;
  pace.free_places_of_new_flows = 100;
  door.set_pace(pace, {});
  EXPECT_EQ(door.enter(request_of("light", 10)).code(), Code::kResourceExhausted)
      << "six of the heavy one come before it";
  Request equal = request_of("equal", 10);
  equal.principal.weight = 6;
  EXPECT_TRUE(door.enter(equal).ok());
}

TEST_F(SequenceDoorTest, whose_flow_has_no_place_yet_waits_for_none_to_come_free) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.first_token_max = std::chrono::seconds(2);
  SequenceDoor door(bounds, probe_);
  EXPECT_TRUE(door.enter(request_of("flood", 30)).ok());
  LanePace pace = twenty_a_second(60);
  pace.free_places_of_new_flows = 1;
  door.set_pace(pace, {{flow_of(request_of("flood", 1).principal), 1}});
  EXPECT_EQ(door.enter(request_of("flood", 10)).code(), Code::kResourceExhausted);
  EXPECT_TRUE(door.enter(request_of("polite", 10)).ok());
  EXPECT_EQ(door.enter(request_of("third", 10)).code(), Code::kResourceExhausted)
      << "the one place is taken by then";
}

TEST_F(SequenceDoorTest, whoever_fills_the_queue_shuts_nobody_else_out) {
  SequenceDoorOptions bounds = door_bounds();
  bounds.queue_requests_max = 8;
  SequenceDoor door(bounds, probe_);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(door.enter(request_of("flood", 1)).ok());
  EXPECT_EQ(door.enter(request_of("flood", 1)).code(), Code::kResourceExhausted);
  EXPECT_TRUE(door.enter(request_of("polite", 1)).ok());
  EXPECT_EQ(door.enter(request_of("polite", 1)).code(), Code::kResourceExhausted);
  EXPECT_EQ(door.enter(request_of("third", 1)).code(), Code::kResourceExhausted)
      << "the bound and an eighth is the most";
}

TEST_F(SequenceDoorTest, lets_nobody_in_while_it_drains) {
  door_.drain();
  EXPECT_EQ(door_.enter(door_request(1)).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace cortex::scheduler
