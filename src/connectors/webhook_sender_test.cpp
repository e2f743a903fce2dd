// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook_sender.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "net/testing/test_server.h"
#include "store/testing/temporary_store.h"

namespace cortex::connectors {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kBroken =
    "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry";

constexpr std::string_view kEventTable =
    "CREATE TABLE happened (seq BIGINT NOT NULL PRIMARY KEY, name {text} NOT NULL);";
constexpr std::array<std::string_view, 1> kEventSteps = {kEventTable};

// The log of events of a test.
WebhookFeed test_feed() {
  return {
      [](store::Transaction& t, const std::string&, std::int64_t after, std::size_t limit
      ) -> Result<EventPage> {
        CORTEX_ASSIGN_OR_RETURN(
            const store::Rows rows,
            t.query(
                "SELECT seq, name FROM happened WHERE seq > $1 ORDER BY seq LIMIT $2",
                {after, static_cast<std::int64_t>(limit)}
            )
        );
        EventPage out{{}, after};
        for (std::size_t i = 0; i < rows.size(); ++i) {
          out.last = rows.integer(i, 0);
          out.events.push_back(
              {out.last, rows.text(i, 1), "{\"seq\":" + std::to_string(out.last) + "}"}
          );
        }
        return out;
      },
      [](store::Transaction& t, const std::string&) -> Result<std::int64_t> {
        CORTEX_ASSIGN_OR_RETURN(
            const store::Rows rows, t.query("SELECT COALESCE(max(seq), 0) FROM happened")
        );
        return rows.integer(0, 0);
      },
      [](std::string_view name) { return name == "thing.happened"; },
      [](std::string_view name, std::int64_t now) {
        return WebhookEvent{now, std::string(name), R"({"example":true})"};
      }
  };
}

class WebhookSenderTest : public ::testing::Test {
 protected:
  WebhookSenderTest()
      : store_("sqlite", {webhook_schema(), store::Schema{"happened", kEventSteps}}) {
    options_.holder = "test";
    options_.timeout = milliseconds(5'000);
    options_.retry = {4, milliseconds(1), milliseconds(5)};
    options_.allow_private = true;
  }
  ~WebhookSenderTest() override {
    if (sender_) sender_->stop();
  }

  void start() {
    sender_ = std::make_unique<WebhookSender>(options_, *store_, box_, test_feed());
    ASSERT_TRUE(sender_->start().ok());
  }
  std::string add_hook(const std::string& url, const std::string& secret = {}) {
    NewWebhook wanted;
    wanted.id = new_webhook_id();
    wanted.name = "hook";
    wanted.url = url;
    wanted.events = {"a"};
    wanted.sealed_secret = box_.seal(secret, wanted.id);
    write([&](store::Transaction& t) { return create_webhook(t, "default", wanted, 0, 1).status(); }
    );
    return wanted.id;
  }
  void happens(std::int64_t seq, const std::string& name = "a") {
    write([&](store::Transaction& t) {
      return t.execute("INSERT INTO happened (seq, name) VALUES ($1, $2)", {seq, name}).status();
    });
  }
  void write(const store::Store::Work& work) {
    const Status status = store_->write_and_wait(work);
    ASSERT_TRUE(status.ok()) << status.to_string();
    if (sender_) sender_->wake();
  }
  std::vector<Delivery> log(const std::string& id) {
    std::vector<Delivery> out;
    const Status status = store_->read_and_wait([&](store::Transaction& t) -> Status {
      CORTEX_ASSIGN_OR_RETURN(out, list_deliveries(t, "default", id, 0, 100));
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return out;
  }
  Webhook hook(const std::string& id) {
    Webhook out;
    static_cast<void>(store_->read_and_wait([&](store::Transaction& t) -> Status {
      CORTEX_ASSIGN_OR_RETURN(out, find_webhook(t, "default", id));
      return {};
    }));
    return out;
  }
  // Until the deliveries of a hook that ended are as many.
  bool wait_for_ended(const std::string& id, std::size_t count) {
    return wait([&] {
      std::size_t ended = 0;
      for (const Delivery& delivery : log(id)) {
        ended += delivery.status != DeliveryStatus::kPending ? 1 : 0;
      }
      return ended >= count;
    });
  }
  bool wait(const std::function<bool()>& condition) {
    const TimePoint deadline = steady_clock().now() + std::chrono::seconds(30);
    Mutex mutex;
    Condition pause;
    while (!condition()) {
      if (steady_clock().now() > deadline) return false;
      MutexLock lock(mutex);
      pause.wait_until(mutex, steady_clock().now() + milliseconds(5));
    }
    return true;
  }

  store::TemporaryStore store_;
  const SecretBox box_{SecretBox::Key{1, 2, 3}};
  WebhookSenderOptions options_;
  std::unique_ptr<WebhookSender> sender_;
};

// Answers every request of every connection with the text.
net::TestServer::Play always(std::string_view answer) {
  return [answer](net::TestServer::Peer& peer, int) {
    while (!peer.read_request().empty() && peer.send(answer)) {
    }
  };
}

TEST_F(WebhookSenderTest, tells_what_happened_in_its_order_and_signed) {
  net::TestServer receiver(always(kGood));
  const std::string id = add_hook(receiver.url() + "/path?x=1", "secret");
  start();
  happens(1);
  happens(2, "not asked for");
  happens(3);
  ASSERT_TRUE(wait_for_ended(id, 2));
  const auto deliveries = log(id);
  ASSERT_THAT(deliveries, SizeIs(2));
  EXPECT_EQ(deliveries[0].seq, 3);
  EXPECT_EQ(deliveries[0].last.response_status, 200);
  EXPECT_EQ(deliveries[0].last.response_head, "ok");
  EXPECT_EQ(deliveries[0].id, delivery_id(id, 3));
  const std::string seen = receiver.received();
  EXPECT_THAT(seen, HasSubstr("POST /path?x=1 HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("X-MLflow-Delivery-Id: " + delivery_id(id, 1) + "\r\n"));
  EXPECT_THAT(seen, HasSubstr("X-MLflow-Signature: v1,"));
  EXPECT_LT(seen.find("{\"seq\":1}"), seen.find("{\"seq\":3}"));
  EXPECT_EQ(seen.find("secret"), std::string::npos);
  EXPECT_EQ(sender_->counts().delivered, 2U);
}

TEST_F(WebhookSenderTest, tries_again_and_keeps_the_order_meanwhile) {
  net::TestServer receiver([](net::TestServer::Peer& peer, int connection) {
    peer.read_request();
    if (connection == 0) peer.send(kBroken);
    if (connection == 1) peer.send("garbage\r\n\r\n");
    if (connection == 2) return peer.cut();
    if (connection > 2) peer.send("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
  });
  const std::string id = add_hook(receiver.url());
  happens(1);
  happens(2);
  start();
  ASSERT_TRUE(wait_for_ended(id, 2));
  const auto deliveries = log(id);
  EXPECT_EQ(deliveries[1].attempts, 4);
  EXPECT_EQ(deliveries[1].status, DeliveryStatus::kDelivered);
  EXPECT_EQ(deliveries[0].attempts, 1);
  EXPECT_EQ(sender_->counts().retries, 3U);
  const std::string seen = receiver.received();
  EXPECT_LT(seen.rfind("{\"seq\":1}"), seen.find("{\"seq\":2}"));
}

TEST_F(WebhookSenderTest, gives_up_follows_no_redirect_and_goes_on) {
  net::TestServer receiver([](net::TestServer::Peer& peer, int connection) {
    peer.read_request();
    peer.send(
        connection == 0 ? "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\n"
                          "Content-Length: 0\r\nConnection: close\r\n\r\n"
                        : kGood
    );
  });
  const std::string id = add_hook(receiver.url());
  happens(1);
  happens(2);
  start();
  ASSERT_TRUE(wait_for_ended(id, 2));
  EXPECT_EQ(log(id)[1].status, DeliveryStatus::kFailed);
  EXPECT_EQ(log(id)[1].last.response_status, 302);
  EXPECT_EQ(log(id)[0].status, DeliveryStatus::kDelivered);
  EXPECT_EQ(receiver.connections(), 2);
}

TEST_F(WebhookSenderTest, ends_an_attempt_by_its_deadline) {
  net::TestServer receiver([](net::TestServer::Peer& peer, int) { peer.wait_for_end(); });
  options_.timeout = milliseconds(50);
  options_.retry.attempts_max = 2;
  const std::string id = add_hook(receiver.url());
  happens(1);
  start();
  ASSERT_TRUE(wait_for_ended(id, 1));
  EXPECT_EQ(log(id)[0].status, DeliveryStatus::kFailed);
  EXPECT_EQ(log(id)[0].attempts, 2);
  EXPECT_NE(log(id)[0].last.error, "");
}

TEST_F(WebhookSenderTest, switches_a_dead_receiver_off_and_names_it) {
  options_.log.failures_max = 2;
  options_.retry.attempts_max = 1;
  const std::string id = add_hook("http://127.0.0.1:1/");
  for (std::int64_t seq = 1; seq <= 5; ++seq) happens(seq);
  start();
  ASSERT_TRUE(wait([&] { return sender_->counts().switched_off == 1; }));
  EXPECT_FALSE(hook(id).active);
  EXPECT_THAT(hook(id).status_message, HasSubstr("the last 2 deliveries failed"));
  EXPECT_THAT(log(id), SizeIs(2));
}

TEST_F(WebhookSenderTest, switches_off_who_is_too_far_behind) {
  options_.queue_events = 10;
  const std::string id = add_hook("http://127.0.0.1:1/");
  for (std::int64_t seq = 1; seq <= 11; ++seq) happens(seq);
  start();
  ASSERT_TRUE(wait([&] { return !hook(id).active; }));
  EXPECT_THAT(hook(id).status_message, HasSubstr("more than 10 events behind"));
}

TEST_F(WebhookSenderTest, passes_what_a_hook_does_not_ask_for) {
  net::TestServer receiver(always(kGood));
  const std::string id = add_hook(receiver.url());
  for (std::int64_t seq = 1; seq <= 500; ++seq) happens(seq, "not asked for");
  happens(501);
  start();
  ASSERT_TRUE(wait_for_ended(id, 1));
  EXPECT_EQ(log(id)[0].seq, 501);
}

TEST_F(WebhookSenderTest, reaches_no_address_that_is_not_public) {
  net::TestServer receiver(always(kGood));
  options_.allow_private = false;
  const std::string by_address = add_hook(receiver.url());
  const std::string by_name = add_hook("http://localhost:" + std::to_string(receiver.port()) + "/");
  happens(1);
  start();
  EXPECT_FALSE(sender_->check_url("http://127.0.0.1/").ok());
  EXPECT_TRUE(sender_->check_url("http://localhost/").ok());
  for (const std::string& id : {by_address, by_name}) {
    ASSERT_TRUE(wait_for_ended(id, 1));
    EXPECT_EQ(log(id)[0].status, DeliveryStatus::kFailed);
    EXPECT_EQ(log(id)[0].attempts, 1);
  }
  EXPECT_EQ(receiver.connections(), 0);
}

TEST_F(WebhookSenderTest, goes_on_after_a_restart_with_the_same_id) {
  net::TestServer receiver([](net::TestServer::Peer& peer, int connection) {
    peer.read_request();
    peer.send(connection == 0 ? kBroken : kGood);
  });
  options_.retry.first_wait = options_.retry.wait_max = milliseconds(300);
  const std::string id = add_hook(receiver.url());
  happens(1);
  start();
  ASSERT_TRUE(wait([&] { return log(id).size() == 1 && log(id)[0].attempts == 1; }));
  sender_->stop();
  start();
  ASSERT_TRUE(wait_for_ended(id, 1));
  EXPECT_EQ(log(id)[0].attempts, 2);
  const std::string seen = receiver.received();
  EXPECT_NE(seen.find(delivery_id(id, 1)), seen.rfind(delivery_id(id, 1)));
}

TEST_F(WebhookSenderTest, waits_while_another_process_sends) {
  net::TestServer receiver(always(kGood));
  const std::int64_t now = unix_milliseconds();
  write([&](store::Transaction& t) { return hold_sender(t, "another", now, now + 1'500).status(); }
  );
  const std::string id = add_hook(receiver.url());
  happens(1);
  start();
  ASSERT_TRUE(wait_for_ended(id, 1));
  EXPECT_GE(unix_milliseconds(), now + 1'500);
}

TEST_F(WebhookSenderTest, tries_a_hook_out_beside_its_log) {
  net::TestServer receiver(always(kGood));
  const std::string id = add_hook(receiver.url(), "secret");
  start();
  Mailbox<AttemptResult> results(1);
  sender_->try_out(
      {id, receiver.url(), box_.seal("secret", id), {0, "a", "{}"}},
      [&results](Result<AttemptResult> result) {
        ASSERT_TRUE(result.ok()) << result.status().text();
        static_cast<void>(results.put(std::move(*result)));
      }
  );
  std::vector<AttemptResult> got;
  results.take_all(got, steady_clock().now() + std::chrono::seconds(30));
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].response_status, 200);
  EXPECT_THAT(log(id), SizeIs(0));
}

TEST_F(WebhookSenderTest, fails_for_good_when_its_secret_was_sealed_with_another_key) {
  const SecretBox other(SecretBox::Key{9});
  NewWebhook wanted;
  wanted.id = new_webhook_id();
  wanted.name = "hook";
  wanted.url = "http://127.0.0.1:1/";
  wanted.events = {"a"};
  wanted.sealed_secret = other.seal("secret", wanted.id);
  write([&](store::Transaction& t) { return create_webhook(t, "default", wanted, 0, 1).status(); });
  happens(1);
  start();
  ASSERT_TRUE(wait_for_ended(wanted.id, 1));
  EXPECT_THAT(log(wanted.id)[0].last.error, HasSubstr("another key"));
  EXPECT_EQ(log(wanted.id)[0].attempts, 1);
}

}  // namespace
}  // namespace cortex::connectors
