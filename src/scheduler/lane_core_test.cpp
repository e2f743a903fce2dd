// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane_core.h"

#include <optional>
#include <set>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

using std::chrono::milliseconds;

class LaneCoreTest : public ::testing::Test {
 protected:
  LaneCoreTest() {
    options_.model = "m";
    options_.queue_size_max = 4;
  }

  LaneCore& core() {
    if (!core_) core_.emplace(options_, probe_);
    return *core_;
  }

  std::shared_ptr<Request> request() { return std::make_shared<Request>(); }

  Status add(std::shared_ptr<Request> request, std::uint64_t key = 0) {
    Waiting waiting;
    waiting.key = key;
    waiting.request = std::move(request);
    waiting.stream = std::make_shared<ResponseStream>();
    last_stream_ = waiting.stream;
    const auto admission = core().add(waiting, now_, endings_);
    last_wake_ = admission.wake;
    return admission.status;
  }

  // The priorities of the batch that runs now; empty when none does.
  std::vector<std::uint64_t> run() {
    Batch batch;
    std::vector<std::uint64_t> out;
    const auto step = core().next(now_, batch, endings_);
    wait_until_ = step.wait_until;
    for (const Waiting& member : batch.members) out.push_back(member.request->priority);
    if (step.run) core().done(batch.members.size(), milliseconds(10));
    return out;
  }

  LaneCoreOptions options_;
  LaneProbe probe_;
  std::optional<LaneCore> core_;
  TimePoint now_ = TimePoint(std::chrono::hours(1));
  TimePoint wait_until_{};
  std::vector<Ending> endings_;
  std::shared_ptr<ResponseStream> last_stream_;
  bool last_wake_ = false;
};

using Priorities = std::vector<std::uint64_t>;

TEST_F(LaneCoreTest, names_the_limit_and_the_time_to_retry_when_full) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(request()).ok());
  const Status full = add(request());
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_NE(full.text().find("4 requests wait for model 'm'"), std::string::npos) << full.text();
  EXPECT_EQ(full.retry_after(), milliseconds(100));
  EXPECT_EQ(probe_.read().rejected_full, 1u);
}

TEST_F(LaneCoreTest, estimates_the_retry_from_measured_runs) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(request()).ok());
  run();
  ASSERT_TRUE(add(request()).ok());
  EXPECT_EQ(add(request()).retry_after(), milliseconds(50));
}

TEST_F(LaneCoreTest, makes_room_by_dropping_those_who_left) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(request()).ok());
  last_stream_->cancel();
  EXPECT_TRUE(add(request()).ok());
  ASSERT_EQ(endings_.size(), 1u);
  EXPECT_EQ(endings_[0].status.code(), Code::kCancelled);
  EXPECT_EQ(probe_.read().cancelled, 1u);
}

TEST_F(LaneCoreTest, drops_a_cancelled_request_before_its_run) {
  ASSERT_TRUE(add(request()).ok());
  last_stream_->cancel();
  auto second = request();
  second->priority = 7;
  ASSERT_TRUE(add(second).ok());
  EXPECT_EQ(run(), Priorities{7});
  EXPECT_EQ(endings_.size(), 1u);
  EXPECT_EQ(core().waiting(), 0u);
}

TEST_F(LaneCoreTest, refuses_a_request_that_waited_longer_than_its_queue_timeout) {
  options_.batching.default_policy.timeout = milliseconds(5);
  ASSERT_TRUE(add(request()).ok());
  now_ += milliseconds(5);
  EXPECT_EQ(run(), Priorities{});
  ASSERT_EQ(endings_.size(), 1u);
  EXPECT_EQ(endings_[0].status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(endings_[0].status.text(), "Request timeout expired");
  EXPECT_EQ(endings_[0].timings.queue, milliseconds(5));
}

TEST_F(LaneCoreTest, lets_a_request_shorten_its_timeout_only_where_that_is_allowed) {
  options_.batching.priority_levels = 2;
  options_.batching.policies[1] = {0, milliseconds(9), false, false};
  options_.batching.policies[2] = {0, milliseconds(9), false, true};
  for (const std::uint64_t priority : {1u, 2u}) {
    auto own = request();
    own->priority = priority;
    own->queue_timeout = milliseconds(2);
    ASSERT_TRUE(add(own).ok());
  }
  now_ += milliseconds(2);
  EXPECT_EQ(run(), Priorities{1});
  EXPECT_EQ(endings_.size(), 1u);
}

TEST_F(LaneCoreTest, refuses_a_request_whose_deadline_passed_before_it_came) {
  auto late = request();
  late->deadline = now_;
  EXPECT_EQ(add(late).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(core().waiting(), 0u);
}

TEST_F(LaneCoreTest, puts_a_delayed_request_behind_its_level_once) {
  options_.batching.priority_levels = 9;
  options_.batching.policies[9] = {0, milliseconds(5), true, false};
  options_.batching.default_priority = 9;
  auto first = request();
  first->priority = 100;  // unknown, so the default level
  ASSERT_TRUE(add(first).ok());
  now_ += milliseconds(4);
  ASSERT_TRUE(add(request()).ok());
  now_ += milliseconds(1);
  EXPECT_EQ(run(), Priorities{0});
  ASSERT_TRUE(add(request()).ok());
  EXPECT_EQ(run(), Priorities{100});
  EXPECT_TRUE(endings_.empty());
}

TEST_F(LaneCoreTest, serves_levels_in_order_and_bounds_each) {
  options_.batching.priority_levels = 2;
  options_.batching.default_priority = 2;
  options_.batching.policies[2].queue_size_max = 1;
  auto urgent = request();
  urgent->priority = 1;
  ASSERT_TRUE(add(request()).ok());
  EXPECT_EQ(add(request()).code(), Code::kResourceExhausted);
  ASSERT_TRUE(add(urgent).ok());
  EXPECT_EQ(run(), Priorities{1});
  EXPECT_EQ(run(), Priorities{0});
}

TEST_F(LaneCoreTest, never_starves_a_level) {
  options_.batching.priority_levels = 3;
  for (const std::uint64_t priority : {2u, 3u}) {
    auto waits = request();
    waits->priority = priority;
    ASSERT_TRUE(add(waits).ok());
  }
  std::set<std::uint64_t> served;
  for (std::size_t i = 0; i < BatchPolicy::kPassedOverMax + 3; ++i) {
    auto urgent = request();
    urgent->priority = 1;
    ASSERT_TRUE(add(urgent).ok());
    for (const std::uint64_t priority : run()) served.insert(priority);
    if (core().waiting() == 4) run();
  }
  EXPECT_EQ(served, (std::set<std::uint64_t>{1, 2, 3}));
}

TEST_F(LaneCoreTest, wakes_nobody_while_a_batch_waits_for_its_delay) {
  options_.queue_size_max = 100;
  options_.rows_max = 4;
  options_.batching.queue_delay_max = milliseconds(5);
  ASSERT_TRUE(add(request()).ok());
  EXPECT_TRUE(last_wake_);
  EXPECT_TRUE(run().empty());
  EXPECT_EQ(wait_until_, now_ + milliseconds(5));
  ASSERT_TRUE(add(request()).ok());
  EXPECT_FALSE(last_wake_);
  auto hasty = request();
  hasty->deadline = now_ + milliseconds(1);
  ASSERT_TRUE(add(hasty).ok());
  EXPECT_TRUE(last_wake_) << "it expires before the instance comes back";
  ASSERT_TRUE(add(request()).ok());
  EXPECT_TRUE(last_wake_) << "the batch is full";
  EXPECT_EQ(run().size(), 4u);
}

TEST_F(LaneCoreTest, refuses_everything_once_it_drains_and_still_serves_what_waits) {
  ASSERT_TRUE(add(request()).ok());
  core().drain();
  EXPECT_EQ(add(request()).code(), Code::kUnavailable);
  EXPECT_EQ(run().size(), 1u);
}

TEST_F(LaneCoreTest, gives_up_what_waits_when_it_closes) {
  ASSERT_TRUE(add(request()).ok());
  core().close(endings_);
  ASSERT_EQ(endings_.size(), 1u);
  EXPECT_EQ(endings_[0].status.code(), Code::kUnavailable);
  EXPECT_TRUE(run().empty());
}

TEST(InlineRunPolicy, needs_a_run_of_short_runs_and_a_free_instance) {
  InlineRunPolicy policy(true);
  const InlineView idle{0, 0, 1, 64};
  EXPECT_FALSE(policy.allows(idle));
  for (int i = 0; i < 64; ++i) policy.observe(std::chrono::microseconds(3));
  EXPECT_TRUE(policy.allows(idle));
  EXPECT_FALSE(policy.allows({1, 0, 1, 64}));
  EXPECT_FALSE(policy.allows({0, 1, 1, 64}));
  EXPECT_FALSE(policy.allows({0, 0, 1, InlineRunPolicy::kInputBytesMax + 1}));
  policy.observe(milliseconds(4));
  EXPECT_TRUE(policy.allows(idle)) << "one long run is the machine's, not the model's";
  policy.observe(milliseconds(4));
  EXPECT_FALSE(policy.allows(idle));
}

TEST(InlineRunPolicy, never_allows_a_model_that_takes_its_time) {
  InlineRunPolicy policy(true);
  for (int i = 0; i < 10'000; ++i) policy.observe(std::chrono::microseconds(40));
  EXPECT_FALSE(policy.allows({0, 0, 1, 64}));
}

}  // namespace
}  // namespace cortex::scheduler
