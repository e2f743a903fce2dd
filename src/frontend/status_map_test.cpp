// SPDX-License-Identifier: Apache-2.0
#include "frontend/status_map.h"

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

using std::chrono::milliseconds;

TEST(StatusMap, every_code_keeps_its_grpc_number) {
  for (int number = 0; number <= 16; ++number) {
    EXPECT_EQ(status_row(static_cast<Code>(number)).grpc, number);
  }
}

TEST(StatusMap, http_statuses_are_those_clients_expect) {
  EXPECT_EQ(status_row(Code::kOk).http, 200);
  EXPECT_EQ(status_row(Code::kCancelled).http, 499);
  EXPECT_EQ(status_row(Code::kInvalidArgument).http, 400);
  EXPECT_EQ(status_row(Code::kDeadlineExceeded).http, 504);
  EXPECT_EQ(status_row(Code::kNotFound).http, 404);
  EXPECT_EQ(status_row(Code::kAlreadyExists).http, 409);
  EXPECT_EQ(status_row(Code::kPermissionDenied).http, 403);
  EXPECT_EQ(status_row(Code::kResourceExhausted).http, 429);
  EXPECT_EQ(status_row(Code::kFailedPrecondition).http, 400);
  EXPECT_EQ(status_row(Code::kUnimplemented).http, 501);
  EXPECT_EQ(status_row(Code::kInternal).http, 500);
  EXPECT_EQ(status_row(Code::kUnavailable).http, 503);
  EXPECT_EQ(status_row(Code::kUnauthenticated).http, 401);
}

TEST(StatusMap, a_clients_mistake_is_never_named_a_server_error) {
  for (int number = 1; number <= 16; ++number) {
    const StatusRow& row = status_row(static_cast<Code>(number));
    EXPECT_EQ(row.http == 500, row.openai_type == "server_error") << number;
  }
}

TEST(StatusMap, retry_after_is_rounded_up_and_at_least_one_second) {
  const Status full = resource_exhausted("full");
  EXPECT_EQ(retry_after_seconds(full), std::nullopt);
  EXPECT_EQ(retry_after_seconds(full.with_retry_after(milliseconds(0))), 1);
  EXPECT_EQ(retry_after_seconds(full.with_retry_after(milliseconds(1000))), 1);
  EXPECT_EQ(retry_after_seconds(full.with_retry_after(milliseconds(1001))), 2);
}

}  // namespace
}  // namespace cortex::frontend
