// SPDX-License-Identifier: Apache-2.0
#include "store/replay_log.h"

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

class ReplayLog : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    store_ = std::make_unique<TemporaryStore>(GetParam(), std::vector<Schema>{replay_schema()});
  }

  static ReplayKey key(std::string name, std::string request = "digest") {
    return {"default", "ada", std::move(name), std::move(request)};
  }

  // Answers with `body` unless there is an answer; the answer that the client gets.
  Result<std::string> ask(const ReplayKey& key, std::string body, std::int64_t now = kNow) {
    std::string got;
    const Status status = (*store_)->write_and_wait([&](Transaction& transaction) -> Status {
      CORTEX_ASSIGN_OR_RETURN(const auto kept, claim_replay(transaction, key, now, limits_));
      got = kept ? kept->body : body;
      if (kept) return {};
      CORTEX_ASSIGN_OR_RETURN(
          evicted_, keep_answer(transaction, key, {201, "head", body}, limits_)
      );
      return {};
    });
    if (!status.ok()) return status;
    return got;
  }

  std::unique_ptr<TemporaryStore> store_;
  ReplayLimits limits_;
  std::int64_t evicted_ = -1;  // by the last answer that was kept
};

TEST_P(ReplayLog, gives_the_first_answer_to_the_same_request) {
  EXPECT_EQ(*ask(key("a"), "first"), "first");
  EXPECT_EQ(*ask(key("a"), "second"), "first");
  EXPECT_EQ(*ask(key("b"), "third"), "third");
}

TEST_P(ReplayLog, refuses_another_request_under_a_key) {
  ASSERT_TRUE(ask(key("a"), "first").ok());
  const auto other = ask(key("a", "other"), "second");
  EXPECT_EQ(other.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(*ask(key("a"), "third"), "first");
}

TEST_P(ReplayLog, keys_belong_to_a_user_and_a_workspace) {
  ASSERT_TRUE(ask(key("a"), "first").ok());
  ReplayKey of_another_user = key("a", "other");
  of_another_user.user = "bob";
  EXPECT_EQ(*ask(of_another_user, "second"), "second");
  ReplayKey of_another_workspace = key("a", "other");
  of_another_workspace.workspace = "team";
  EXPECT_EQ(*ask(of_another_workspace, "third"), "third");
}

TEST_P(ReplayLog, forgets_an_answer_after_its_age) {
  ASSERT_TRUE(ask(key("a"), "first").ok());
  const std::int64_t age = limits_.age.count();
  EXPECT_EQ(*ask(key("a"), "second", kNow + age), "first");
  EXPECT_EQ(*ask(key("a", "other"), "third", kNow + age + 1), "third");
}

TEST_P(ReplayLog, a_work_that_fails_leaves_its_key_free) {
  const Status status = (*store_)->write_and_wait([&](Transaction& transaction) -> Status {
    CORTEX_RETURN_IF_ERROR(claim_replay(transaction, key("a"), kNow, limits_).status());
    return not_found("no such model");
  });
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(*ask(key("a", "other"), "second"), "second");
}

TEST_P(ReplayLog, the_oldest_answers_go_when_there_are_too_many) {
  limits_.keys = 2;
  for (const char* name : {"a", "b"}) ASSERT_TRUE(ask(key(name), "first").ok());
  EXPECT_EQ(evicted_, 0);
  ASSERT_TRUE(ask(key("c"), "first").ok());
  EXPECT_EQ(evicted_, 1);
  EXPECT_EQ(*ask(key("c"), "again"), "first");
  EXPECT_EQ(*ask(key("b"), "again"), "first");
  EXPECT_EQ(*ask(key("a"), "again"), "again");
}

TEST_P(ReplayLog, the_oldest_answers_go_when_they_are_too_many_bytes) {
  limits_.bytes = 100;
  ASSERT_TRUE(ask(key("a"), std::string(60, 'a')).ok());
  ASSERT_TRUE(ask(key("b"), std::string(60, 'b')).ok());
  EXPECT_EQ(*ask(key("b"), "again"), std::string(60, 'b'));
  EXPECT_EQ(*ask(key("a"), "again"), "again");
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ReplayLog,
    ::testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::store
