// SPDX-License-Identifier: Apache-2.0
#include "scheduler/tensor_lane.h"

#include <gtest/gtest.h>

#include "scheduler/testing/row_backend.h"
#include "scheduler/testing/waiter.h"

namespace cortex::scheduler {
namespace {

using testing::Gate;
using testing::row_config;
using testing::row_request;
using testing::RowBackend;
using testing::Waiter;

class TensorLaneTest : public ::testing::Test {
 protected:
  void start(std::size_t instances = 1, std::size_t queue_size_max = 512) {
    TensorLaneOptions options;
    options.identity = {"rows", "1"};
    options.config = config_;
    options.instances = instances;
    options.queue_size_max = queue_size_max;
    options.run_inline = run_inline_;
    lane_ = std::make_unique<TensorLane>(options, backend_, *clock_);
  }
  // Holds the backend's runs until the gate opens.
  void hold_runs() {
    backend_->before = [this](const backend::TensorRun&, std::size_t) {
      gate_.pass();
      return Status();
    };
  }

  Gate gate_;  // outlives the lane's threads
  ModelConfig config_ = row_config(8);
  bool run_inline_ = false;
  const Clock* clock_ = &steady_clock();
  std::shared_ptr<RowBackend> backend_ = std::make_shared<RowBackend>();
  std::unique_ptr<TensorLane> lane_;
};

TEST_F(TensorLaneTest, answers_a_request_and_says_what_it_took) {
  start();
  Waiter waiter;
  waiter.submit(*lane_, row_request(2, 3, 1));
  ASSERT_TRUE(waiter.wait().ok()) << waiter.wait().to_string();
  ASSERT_EQ(waiter.output().outputs.size(), 2u);
  EXPECT_EQ(waiter.output().outputs[0].shape, (Shape{2, 3, 2}));
  EXPECT_EQ(waiter.stream().timings().batch_size, 2u);
  EXPECT_GT(waiter.stream().timings().compute.count(), 0);
}

TEST_F(TensorLaneTest, hands_a_lone_requests_bytes_to_the_engine_without_a_copy) {
  const auto request = row_request(1, 3, 1);
  const std::byte* sent = std::get<InferInput>(request->input).inputs[0].bytes.data();
  const std::byte* seen = nullptr;
  backend_->before = [&](const backend::TensorRun& run, std::size_t) {
    seen = run.inputs[0].bytes.data();
    return Status();
  };
  start();
  Waiter waiter;
  waiter.submit(*lane_, request);
  ASSERT_TRUE(waiter.wait().ok());
  EXPECT_EQ(seen, sent);
}

TEST_F(TensorLaneTest, batches_what_came_while_the_engine_was_busy) {
  hold_runs();
  start();
  std::vector<Waiter> waiters(5);
  waiters[0].submit(*lane_, row_request(1, 4, 0));
  gate_.wait_for_arrivals(1);
  for (std::size_t i = 1; i < 5; ++i) {
    waiters[i].submit(*lane_, row_request(1, 4, static_cast<std::int64_t>(i)));
  }
  gate_.open();
  for (Waiter& waiter : waiters) ASSERT_TRUE(waiter.wait().ok());
  EXPECT_EQ(backend_->runs(), 2u);
  EXPECT_EQ(waiters[4].stream().timings().batch_size, 4u);
  const LaneCounts counts = lane_->probe().read();
  EXPECT_EQ(counts.executions, 2u);
  EXPECT_EQ(counts.rows, 5u);
  EXPECT_EQ(counts.batch_sizes[2], 1u);
}

TEST_F(TensorLaneTest, refuses_when_the_queue_is_full) {
  hold_runs();
  start(1, 1);
  std::vector<Waiter> waiters(3);
  waiters[0].submit(*lane_, row_request(1, 4, 0));
  gate_.wait_for_arrivals(1);
  waiters[1].submit(*lane_, row_request(1, 4, 1));
  waiters[2].submit(*lane_, row_request(1, 4, 2));
  EXPECT_EQ(waiters[2].wait().code(), Code::kResourceExhausted);
  EXPECT_TRUE(waiters[2].wait().retry_after().has_value());
  gate_.open();
  EXPECT_TRUE(waiters[1].wait().ok());
}

TEST_F(TensorLaneTest, ends_what_waits_when_it_is_destroyed) {
  hold_runs();
  start();
  std::vector<Waiter> waiters(2);
  waiters[0].submit(*lane_, row_request(1, 4, 0));
  gate_.wait_for_arrivals(1);
  waiters[1].submit(*lane_, row_request(1, 4, 1));
  Thread destroyer("destroyer", [this] { lane_.reset(); });
  EXPECT_EQ(waiters[1].wait().code(), Code::kUnavailable);
  gate_.open();
  EXPECT_TRUE(waiters[0].wait().ok()) << "a batch that runs is not given up";
}

TEST_F(TensorLaneTest, refuses_further_requests_while_it_drains) {
  start();
  lane_->drain();
  Waiter waiter;
  waiter.submit(*lane_, row_request(1, 4, 0));
  EXPECT_EQ(waiter.wait().code(), Code::kUnavailable);
}

TEST_F(TensorLaneTest, refuses_texts) {
  start();
  auto request = std::make_shared<Request>();
  request->input = EmbeddingInput{{"text"}, {}, true};
  Waiter waiter;
  waiter.submit(*lane_, request);
  EXPECT_EQ(waiter.wait().code(), Code::kInvalidArgument);
}

TEST_F(TensorLaneTest, keeps_the_order_of_answers_over_several_instances) {
  config_.batching.preserve_ordering = true;
  config_.max_batch_size = 2;
  backend_->before = [this](const backend::TensorRun&, std::size_t number) {
    if (number == 0) gate_.pass();
    if (number == 1) gate_.open();
    return Status();
  };
  start(2);
  Mutex mutex;
  std::vector<int> order;
  std::vector<Waiter> waiters(2);
  for (int i = 0; i < 2; ++i) {
    auto& waiter = waiters[static_cast<std::size_t>(i)];
    waiter.on_end([&, i] {
      MutexLock lock(mutex);
      order.push_back(i);
    });
    waiter.submit(*lane_, row_request(1, 4, i));
    if (i == 0) gate_.wait_for_arrivals(1);
  }
  for (Waiter& waiter : waiters) ASSERT_TRUE(waiter.wait().ok());
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
}

TEST_F(TensorLaneTest, runs_a_tiny_model_on_the_submitting_thread_once_it_knows_it) {
  const VirtualClock still;  // every run takes no time
  clock_ = &still;
  run_inline_ = true;
  start();
  for (int i = 0; i < 1'000 && lane_->probe().read().inline_runs == 0; ++i) {
    Waiter waiter;
    waiter.submit(*lane_, row_request(1, 4, i));
    ASSERT_TRUE(waiter.wait().ok());
  }
  EXPECT_GT(lane_->probe().read().inline_runs, 0u);
  lane_.reset();
}

}  // namespace
}  // namespace cortex::scheduler
