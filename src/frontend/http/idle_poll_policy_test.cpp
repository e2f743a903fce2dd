// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/idle_poll_policy.h"

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

using std::chrono::microseconds;

void observe(IdlePollPolicy& policy, int times, Duration idle) {
  for (int i = 0; i < times; ++i) policy.observe(idle);
}

TEST(IdlePollPolicy, sleeps_until_it_has_seen_work_come_fast) {
  IdlePollPolicy policy(microseconds(100));
  EXPECT_EQ(policy.next(), Duration::zero());
  observe(policy, 7, microseconds(100));
  EXPECT_EQ(policy.next(), Duration::zero());
  policy.observe(microseconds(100));
  EXPECT_EQ(policy.next(), microseconds(100));
}

TEST(IdlePollPolicy, gives_up_after_a_few_long_idle_times) {
  IdlePollPolicy policy(microseconds(100));
  observe(policy, 1000, microseconds(20));
  observe(policy, 2, microseconds(101));
  EXPECT_EQ(policy.next(), microseconds(100));
  policy.observe(microseconds(101));
  EXPECT_EQ(policy.next(), Duration::zero());
}

TEST(IdlePollPolicy, sleeps_when_one_idle_time_in_four_is_long) {
  IdlePollPolicy policy(microseconds(100));
  observe(policy, 100, microseconds(20));
  int polled = 0;
  for (int i = 0; i < 400; ++i) {
    polled += policy.next() > Duration::zero() ? 1 : 0;
    policy.observe(i % 4 == 0 ? microseconds(5000) : microseconds(20));
  }
  EXPECT_LT(polled, 40);
}

TEST(IdlePollPolicy, never_polls_with_a_limit_of_zero) {
  IdlePollPolicy policy(Duration::zero());
  observe(policy, 100, Duration::zero());
  EXPECT_EQ(policy.next(), Duration::zero());
}

}  // namespace
}  // namespace cortex::frontend
