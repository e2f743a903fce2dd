// SPDX-License-Identifier: Apache-2.0
#include "connectors/delivery.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::connectors {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

AttemptResult answered(int status) {
  AttemptResult out;
  out.response_status = status;
  return out;
}

TEST(Delivery, is_tried_again_where_that_can_help) {
  const RetryOptions options;
  const auto status = [&](const AttemptResult& result, int attempts) {
    return after_attempt(options, result, attempts, 0).status;
  };
  for (const int good : {200, 201, 204}) {
    EXPECT_EQ(status(answered(good), 1), DeliveryStatus::kDelivered) << good;
  }
  for (const int again : {0, 429, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(status(answered(again), 1), DeliveryStatus::kPending) << again;
    EXPECT_EQ(status(answered(again), options.attempts_max), DeliveryStatus::kFailed) << again;
  }
  for (const int never : {301, 302, 307, 400, 401, 404, 410}) {
    EXPECT_EQ(status(answered(never), 1), DeliveryStatus::kFailed) << never;
  }
  AttemptResult wrong;
  wrong.final_fault = true;
  EXPECT_EQ(status(wrong, 1), DeliveryStatus::kFailed);
}

TEST(Delivery, waits_twice_as_long_every_time_up_to_a_bound) {
  const RetryOptions options{100, seconds(1), seconds(60)};
  const auto wait = [&](int attempts, double chance) {
    return after_attempt(options, answered(500), attempts, chance).wait;
  };
  EXPECT_EQ(wait(1, 0), seconds(1));
  EXPECT_EQ(wait(2, 0), seconds(2));
  EXPECT_EQ(wait(4, 0), seconds(8));
  EXPECT_EQ(wait(4, 1), seconds(12));
  EXPECT_EQ(wait(7, 1), seconds(60));
  EXPECT_EQ(wait(90, 0), seconds(60));
  AttemptResult asked = answered(503);
  asked.retry_after = seconds(30);
  EXPECT_EQ(after_attempt(options, asked, 1, 0).wait, seconds(30));
  asked.retry_after = seconds(3600);
  EXPECT_EQ(after_attempt(options, asked, 1, 0).wait, seconds(60));
}

TEST(Delivery, has_an_id_of_its_own_that_stays) {
  EXPECT_EQ(delivery_id("hook", 1), delivery_id("hook", 1));
  EXPECT_NE(delivery_id("hook", 1), delivery_id("hook", 2));
  EXPECT_NE(delivery_id("hook", 1), delivery_id("other", 1));
  EXPECT_THAT(
      delivery_id("hook", 1),
      testing::ContainsRegex("^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
      )
  );
}

// Computed with Python: hmac.new(b"secret", b"id.1700000000.{}", sha256).
TEST(Delivery, is_signed_as_mlflow_documents_it) {
  const auto headers = delivery_headers("id", 1'700'000'000, "secret", "{}");
  ASSERT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers[0], (std::pair<std::string, std::string>("X-MLflow-Delivery-Id", "id")));
  EXPECT_EQ(headers[1], (std::pair<std::string, std::string>("X-MLflow-Timestamp", "1700000000")));
  EXPECT_EQ(headers[2].first, "X-MLflow-Signature");
  EXPECT_EQ(headers[2].second, "v1,GBemBzTgbKoVEGKycqyY3615LbdJbhFLE1oQk+zZ+lo=");
  EXPECT_EQ(delivery_headers("id", 1, "", "{}").size(), 2U);
}

TEST(Delivery, keeps_the_beginning_of_an_answer_as_text) {
  EXPECT_EQ(response_head(std::string(5000, 'a')).size(), kResponseHeadBytes);
  EXPECT_EQ(response_head(std::string("a\0b\x01", 4)), "a b ");
  EXPECT_EQ(response_head("\xFF\xFE garbage"), "");
  const std::string cut = response_head(std::string(kResponseHeadBytes - 1, 'a') + "\xC3\xA9");
  EXPECT_EQ(cut.size(), kResponseHeadBytes - 1);
}

}  // namespace
}  // namespace cortex::connectors
