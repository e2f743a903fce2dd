// SPDX-License-Identifier: Apache-2.0
#include "scheduler/request_flow.h"

#include <limits>

#include <gtest/gtest.h>

namespace cortex::scheduler {
namespace {

std::size_t level_with(PriorityClass own, std::int32_t niceness) {
  Request request;
  request.principal.priority_class = own;
  request.niceness = niceness;
  return level_of(request);
}

TEST(RequestFlow, stands_in_its_principals_class) {
  EXPECT_EQ(level_of(Request{}), 1u) << "normal, where nobody says anything";
  EXPECT_EQ(level_with(PriorityClass::kHigh, 0), 0u);
  EXPECT_EQ(level_with(PriorityClass::kBackground, 0), kPriorityClasses - 1);
}

TEST(RequestFlow, steps_behind_its_principals_class_and_never_before_it) {
  EXPECT_EQ(level_with(PriorityClass::kHigh, 1), 1u);
  EXPECT_EQ(level_with(PriorityClass::kNormal, 2), 3u);
  EXPECT_EQ(level_with(PriorityClass::kLow, std::numeric_limits<std::int32_t>::max()), 3u);
  EXPECT_EQ(level_with(PriorityClass::kLow, -1), 2u);
  EXPECT_EQ(level_with(PriorityClass::kLow, std::numeric_limits<std::int32_t>::min()), 2u);
}

TEST(RequestFlow, is_one_of_each_key_tenant_and_workspace) {
  Principal one;
  one.key = "a";
  Principal other = one;
  EXPECT_EQ(flow_of(one), flow_of(other));
  other.tenant = "acme";
  EXPECT_NE(flow_of(one), flow_of(other));
  other = one;
  other.workspace = "team";
  EXPECT_NE(flow_of(one), flow_of(other));
}

}  // namespace
}  // namespace cortex::scheduler
