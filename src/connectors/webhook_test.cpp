// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "connectors/delivery_log.h"
#include "store/testing/temporary_store.h"

namespace cortex::connectors {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WebhookTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    store_ = std::make_unique<store::TemporaryStore>(
        GetParam(), std::vector<store::Schema>{webhook_schema()}
    );
  }

  template <typename Work>
  auto run(Work work) {
    std::optional<std::invoke_result_t<Work, store::Transaction&>> result;
    static_cast<void>((*store_)->write_and_wait([&](store::Transaction& t) -> Status {
      result.emplace(work(t));
      if constexpr (std::is_same_v<std::invoke_result_t<Work, store::Transaction&>, Status>) {
        return *result;
      } else {
        return result->status();
      }
    }));
    return std::move(*result);
  }
  Result<Webhook> make(const std::string& name, const std::string& workspace = "default") {
    NewWebhook wanted;
    wanted.id = new_webhook_id();
    wanted.name = name;
    wanted.url = "https://hooks.example.com/" + name;
    wanted.events = {"model_version.created", "registered_model.created"};
    wanted.sealed_secret = "sealed";
    return run([&](store::Transaction& t) {
      return create_webhook(t, workspace, wanted, 7, ++now_);
    });
  }
  Result<Webhook> change(const std::string& id, const WebhookChange& change) {
    return run([&](store::Transaction& t) {
      return update_webhook(t, "default", id, change, 99, ++now_);
    });
  }
  ActiveWebhook active(const std::string& id) {
    const auto hooks = run([](store::Transaction& t) { return active_webhooks(t); });
    for (const ActiveWebhook& hook : *hooks) {
      if (hook.id == id) return hook;
    }
    return {};
  }
  bool attempt(const ActiveWebhook& hook, std::int64_t seq, DeliveryStatus status) {
    Delivery delivery;
    delivery.seq = seq;
    delivery.id = delivery_id(hook.id, seq);
    delivery.event = "model_version.created";
    delivery.status = status;
    delivery.attempts = hook.pending_seq == seq ? hook.attempts + 1 : 1;
    delivery.updated_at = ++now_;
    delivery.next_attempt_at = status == DeliveryStatus::kPending ? now_ + 10 : 0;
    delivery.last.response_status = status == DeliveryStatus::kDelivered ? 200 : 500;
    const auto off =
        run([&](store::Transaction& t) { return note_attempt(t, hook, delivery, {3, 2}); });
    EXPECT_TRUE(off.ok()) << off.status().to_string();
    return off.ok() && *off;
  }
  std::vector<Delivery> log(const std::string& id) {
    const auto found =
        run([&](store::Transaction& t) { return list_deliveries(t, "default", id, 0, 100); });
    return found.ok() ? *found : std::vector<Delivery>();
  }

  std::unique_ptr<store::TemporaryStore> store_;
  std::int64_t now_ = 1'700'000'000'000;
};

TEST_P(WebhookTest, is_made_found_changed_and_deleted) {
  const auto made = make("a.b-c_1");
  ASSERT_TRUE(made.ok()) << made.status().to_string();
  EXPECT_THAT(made->events, ElementsAre("model_version.created", "registered_model.created"));
  EXPECT_TRUE(made->active);
  WebhookChange wanted;
  wanted.description = "text";
  wanted.events = {{"prompt.created", "prompt.created"}};
  const auto changed = change(made->id, wanted);
  ASSERT_TRUE(changed.ok()) << changed.status().to_string();
  EXPECT_EQ(changed->description, "text");
  EXPECT_EQ(changed->url, made->url);
  EXPECT_THAT(changed->events, ElementsAre("prompt.created"));
  EXPECT_GT(changed->updated_at, changed->created_at);
  EXPECT_EQ(
      *run([&](store::Transaction& t) { return find_sealed_secret(t, "default", made->id); }),
      "sealed"
  );
  EXPECT_TRUE(run([&](store::Transaction& t) { return delete_webhook(t, "default", made->id); }
  ).ok());
  EXPECT_EQ(change(made->id, wanted).status().code(), Code::kNotFound);
  EXPECT_EQ(
      run([&](store::Transaction& t) { return delete_webhook(t, "default", made->id); }).code(),
      Code::kNotFound
  );
}

TEST_P(WebhookTest, belongs_to_one_workspace) {
  const auto made = make("hook", "team");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(
      run([&](store::Transaction& t) { return find_webhook(t, "default", made->id); })
          .status()
          .code(),
      Code::kNotFound
  );
  EXPECT_THAT(
      run([](store::Transaction& t) { return list_webhooks(t, "default", 10, ""); })->webhooks,
      IsEmpty()
  );
}

TEST_P(WebhookTest, refuses_bad_names_addresses_and_lists) {
  for (const std::string& name :
       {std::string(),
        std::string("A"),
        std::string("-a"),
        std::string("a-"),
        std::string("a b"),
        std::string(64, 'a')}) {
    EXPECT_EQ(make(name).status().code(), Code::kInvalidArgument) << name;
  }
  const auto made = make("hook");
  WebhookChange wanted;
  wanted.url = "ftp://x";
  EXPECT_EQ(change(made->id, wanted).status().code(), Code::kInvalidArgument);
  wanted = {};
  wanted.events.emplace();
  EXPECT_EQ(change(made->id, wanted).status().code(), Code::kInvalidArgument);
}

TEST_P(WebhookTest, are_listed_page_by_page_and_bounded) {
  for (std::size_t i = 0; i < kWebhooksMax; ++i) ASSERT_TRUE(make("h" + std::to_string(i)).ok());
  EXPECT_EQ(make("one-more").status().code(), Code::kResourceExhausted);
  std::set<std::string> seen;
  std::string token;
  do {
    const auto page =
        run([&](store::Transaction& t) { return list_webhooks(t, "default", 30, token); });
    ASSERT_TRUE(page.ok()) << page.status().to_string();
    for (const Webhook& webhook : page->webhooks) seen.insert(webhook.name);
    token = page->next_page_token;
  } while (!token.empty());
  EXPECT_THAT(seen, SizeIs(kWebhooksMax));
}

TEST_P(WebhookTest, goes_on_where_it_was) {
  const std::string id = make("hook")->id;
  EXPECT_EQ(active(id).cursor, 7);
  EXPECT_FALSE(attempt(active(id), 9, DeliveryStatus::kPending));
  EXPECT_EQ(active(id).cursor, 7);
  EXPECT_EQ(active(id).pending_seq, 9);
  EXPECT_EQ(active(id).attempts, 1);
  EXPECT_FALSE(attempt(active(id), 9, DeliveryStatus::kDelivered));
  EXPECT_EQ(active(id).cursor, 9);
  EXPECT_EQ(active(id).pending_seq, 0);
  ASSERT_THAT(log(id), SizeIs(1));
  EXPECT_EQ(log(id)[0].attempts, 2);
  // What was known before the cursor moved is nothing any more.
  ActiveWebhook late = active(id);
  late.cursor = 8;
  EXPECT_FALSE(attempt(late, 9, DeliveryStatus::kFailed));
  EXPECT_EQ(log(id)[0].status, DeliveryStatus::kDelivered);
}

TEST_P(WebhookTest, keeps_the_newest_of_its_deliveries) {
  const std::string id = make("hook")->id;
  for (std::int64_t seq = 10; seq < 20; ++seq) {
    attempt(active(id), seq, DeliveryStatus::kDelivered);
  }
  const auto kept = log(id);
  ASSERT_THAT(kept, SizeIs(3));
  EXPECT_EQ(kept[0].seq, 19);
  EXPECT_EQ(kept[2].seq, 17);
}

TEST_P(WebhookTest, is_switched_off_after_failures_in_a_row_and_on_again) {
  const std::string id = make("hook")->id;
  EXPECT_FALSE(attempt(active(id), 10, DeliveryStatus::kFailed));
  EXPECT_FALSE(attempt(active(id), 11, DeliveryStatus::kDelivered));
  EXPECT_FALSE(attempt(active(id), 12, DeliveryStatus::kFailed));
  EXPECT_TRUE(attempt(active(id), 13, DeliveryStatus::kFailed));
  const auto off = run([&](store::Transaction& t) { return find_webhook(t, "default", id); });
  EXPECT_FALSE(off->active);
  EXPECT_THAT(off->status_message, HasSubstr("the last 2 deliveries failed, at last with 500"));
  EXPECT_EQ(active(id).id, "");
  WebhookChange on;
  on.active = true;
  ASSERT_TRUE(change(id, on).ok());
  EXPECT_EQ(active(id).cursor, 99);
  EXPECT_EQ(active(id).failures, 0);
}

TEST_P(WebhookTest, has_one_sender_at_a_time) {
  const auto hold = [&](const std::string& holder, std::int64_t now) {
    return *run([&](store::Transaction& t) { return hold_sender(t, holder, now, now + 100); });
  };
  EXPECT_TRUE(hold("one", 1'000));
  EXPECT_FALSE(hold("two", 1'050));
  EXPECT_TRUE(hold("one", 1'090));
  EXPECT_FALSE(hold("two", 1'150));
  EXPECT_TRUE(hold("two", 1'191));
  EXPECT_FALSE(hold("one", 1'200));
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    WebhookTest,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::connectors
