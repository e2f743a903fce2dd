// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/core_budget.h"
#include "base/json_text.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "base/thread_pool.h"

namespace cortex {
namespace {

TEST(Status, internal_errors_keep_their_cause_from_the_client) {
  const Status status = internal("the disk is on fire");
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(status.text().find("fire"), std::string::npos);
  EXPECT_NE(status.to_string().find("fire"), std::string::npos);
}

TEST(Status, what_is_added_to_an_error_leaves_the_rest_as_it_was) {
  const Status first = invalid_argument("too long").with_reason("context_length_exceeded");
  const Status status = first.with_field("messages")
                            .with_retry_after(std::chrono::milliseconds(5))
                            .with_prefix("model 'm': ");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.text(), "model 'm': too long");
  EXPECT_EQ(status.reason(), "context_length_exceeded");
  EXPECT_EQ(status.field(), "messages");
  EXPECT_EQ(status.retry_after(), std::chrono::milliseconds(5));
  EXPECT_EQ(first.field(), "");
  EXPECT_EQ(Status().reason(), "");
}

Result<int> half(int value) {
  if (value % 2 != 0) return invalid_argument("odd");
  return value / 2;
}

Result<int> quarter(int value) {
  CORTEX_ASSIGN_OR_RETURN(const int once, half(value));
  return half(once);
}

TEST(Result, hands_the_first_error_up) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).status().text(), "odd");
}

TEST(Mailbox, refuses_beyond_its_capacity_and_after_close) {
  Mailbox<int> box(2);
  EXPECT_EQ(box.put(1), Mailbox<int>::Put::kAccepted);
  EXPECT_EQ(box.put(2), Mailbox<int>::Put::kAccepted);
  EXPECT_EQ(box.put(3), Mailbox<int>::Put::kFull);
  box.close();
  EXPECT_EQ(box.put(4), Mailbox<int>::Put::kClosed);
  std::vector<int> out;
  EXPECT_TRUE(box.take_all(out, kNoDeadline));
  EXPECT_EQ(out, (std::vector<int>{1, 2}));
  out.clear();
  EXPECT_FALSE(box.take_all(out, kNoDeadline));
}

TEST(Base64, reads_what_it_writes_and_the_url_safe_alphabet) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd\xfc"}) {
    EXPECT_EQ(base64_bytes(base64_text(bytes)), bytes);
  }
  EXPECT_EQ(base64_bytes("_-8="), "\xff\xef");
  EXPECT_EQ(base64_bytes("Zm8"), "fo");
}

TEST(Base64, refuses_what_nobody_writes) {
  for (const char* text : {"Z", "Zm8==", "Zm9v=", "Zm 8", "Zm8=Zm8=", "Zh==", "=", "Zm8\n"}) {
    EXPECT_EQ(base64_bytes(text), std::nullopt) << text;
  }
}

TEST(CoreBudget, prefers_instances_when_nothing_is_asked) {
  const CoreBudget budget(4);
  EXPECT_EQ(budget.plan(0, 0).instances, 4u);
  EXPECT_EQ(budget.plan(0, 0).threads_per_instance, 1u);
  EXPECT_EQ(budget.plan(2, 0).threads_per_instance, 2u);
  EXPECT_EQ(budget.plan(0, 4).instances, 1u);
  EXPECT_EQ(budget.plan(0, 99).threads_per_instance, 4u);
}

TEST(ThreadPool, finishes_what_it_accepted) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool("cpu", 2, 100);
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(pool.submit([&] { ++done; }));
    }
  }
  EXPECT_EQ(done, 50);
}

TEST(JsonText, replaces_what_is_not_utf8) {
  std::string out;
  append_json_string(out, "a\"\n\x01\xFF\xED\xA0\x80é");
  EXPECT_EQ(out, "\"a\\\"\\n\\u0001\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDé\"");
  EXPECT_TRUE(is_utf8("héllo 🌍"));
  EXPECT_FALSE(is_utf8("\xC0\xAF"));
}

TEST(JsonText, writes_numbers_that_read_back) {
  std::string out;
  append_json_number(out, 0.1f);
  EXPECT_EQ(out, "0.1");
  out.clear();
  append_json_number(out, 1.0 / 0.0);
  EXPECT_EQ(out, "null");
}

}  // namespace
}  // namespace cortex
