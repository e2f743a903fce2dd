// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/delivery_log.h"
#include "frontend/codec/registry/codec_fixture.h"

namespace cortex::frontend::registry_api {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kWebhooks = "/api/v2/webhooks";
constexpr std::string_view kNew =
    R"({"name":"hook","url":"https://hooks.example.com/x","secret":"geheim",)"
    R"("events":["model_version.created"]})";

class RegistryWebhooks : public RegistryCodecTest {
 protected:
  std::string make() {
    const Reply made = post(kWebhooks, kNew);
    EXPECT_EQ(made.status(), 201) << made.reply.body;
    return made.at("/id");
  }
};

TEST_P(RegistryWebhooks, are_made_read_changed_and_deleted_without_a_word_of_the_secret) {
  const Reply made = post(kWebhooks, kNew);
  ASSERT_EQ(made.status(), 201) << made.reply.body;
  EXPECT_EQ(made.reply.body.find("geheim"), std::string::npos);
  EXPECT_EQ(made.at("/active"), "true");
  const std::string path = std::string(kWebhooks) + "/" + made.at("/id");
  EXPECT_EQ(made.header("Location"), path);

  const Reply read = get(path);
  EXPECT_EQ(read.at("/events/0"), "model_version.created");
  EXPECT_EQ(read.header("ETag"), made.header("ETag"));
  EXPECT_EQ(get(path, {{"if-none-match", read.header("ETag")}}).status(), 304);
  EXPECT_EQ(get(kWebhooks).at("/webhooks/0/id"), made.at("/id"));

  const Reply changed = send(
      Method::kPatch,
      path,
      R"({"active":false,"events":["model_version_alias.created"],"secret":"neu"})",
      {{"if-match", read.header("ETag")}}
  );
  ASSERT_EQ(changed.status(), 200) << changed.reply.body;
  EXPECT_EQ(changed.at("/active"), "false");
  EXPECT_EQ(changed.at("/name"), "hook");
  EXPECT_EQ(changed.at("/events/0"), "model_version_alias.created");
  EXPECT_EQ(changed.reply.body.find("neu"), std::string::npos);
  EXPECT_EQ(remove(path, {{"if-match", read.header("ETag")}}).status(), 412);
  EXPECT_EQ(remove(path).status(), 204);
  EXPECT_EQ(get(path).status(), 404);
}

TEST_P(RegistryWebhooks, refuse_what_nobody_could_be_told) {
  const auto fault = [&](std::string_view body) {
    const Reply answer = post(kWebhooks, body);
    EXPECT_EQ(answer.status(), 400) << body;
    return answer.reply.body;
  };
  EXPECT_THAT(
      fault(R"({"name":"h","url":"https://a.example","events":["no.such"]})"),
      HasSubstr("no event 'no.such'")
  );
  EXPECT_THAT(fault(R"({"name":"h","url":"https://a.example"})"), HasSubstr("event"));
  EXPECT_THAT(fault(R"({"name":"h","events":["model_version.created"]})"), HasSubstr("url"));
  EXPECT_THAT(
      fault(R"({"name":"h","url":"https://a.example","events":[1]})"), HasSubstr("events[0]")
  );
  EXPECT_THAT(
      fault(R"({"name":"h","url":"http://127.0.0.1/","events":["model_version.created"]})"),
      HasSubstr("allow_private")
  );
  EXPECT_THAT(
      fault(
          R"({"name":"h","url":"https://a.example","events":["model_version.created"],"secret":")" +
          std::string(1001, 'a') + "\"}"
      ),
      HasSubstr("1000 bytes")
  );
  EXPECT_THAT(fault(R"({"nmae":"h"})"), HasSubstr("name"));
}

TEST_P(RegistryWebhooks, are_made_once_under_a_key) {
  const Headers once = {{"idempotency-key", "one"}};
  const Reply first = post(kWebhooks, kNew, once);
  const Reply second = post(kWebhooks, kNew, once);
  EXPECT_EQ(second.at("/id"), first.at("/id"));
  EXPECT_EQ(second.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(get(kWebhooks).body.at("webhooks").as_array().size(), 1u);
}

TEST_P(RegistryWebhooks, list_what_they_were_told) {
  const std::string id = make();
  const Status noted = (*store_)->write_and_wait([&](store::Transaction& t) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const auto hooks, connectors::active_webhooks(t));
    for (std::int64_t seq = 1; seq <= 3; ++seq) {
      connectors::Delivery delivery;
      delivery.seq = seq;
      delivery.id = connectors::delivery_id(id, seq);
      delivery.event = "model_version.created";
      delivery.status = connectors::DeliveryStatus::kDelivered;
      delivery.attempts = 1;
      delivery.last.response_status = 200;
      delivery.last.response_head = "ok";
      CORTEX_RETURN_IF_ERROR(connectors::note_attempt(t, hooks.at(0), delivery, {}).status());
    }
    return {};
  });
  ASSERT_TRUE(noted.ok()) << noted.to_string();
  const std::string path = std::string(kWebhooks) + "/" + id + "/deliveries";
  const Reply first = get(path + "?limit=2");
  EXPECT_EQ(first.at("/deliveries/0/seq"), "3");
  EXPECT_EQ(first.at("/deliveries/0/status"), "delivered");
  EXPECT_EQ(first.at("/deliveries/0/response_status"), "200");
  const Reply second = get(path + "?before=" + first.at("/next_before"));
  EXPECT_EQ(second.at("/deliveries/0/seq"), "1");
  EXPECT_EQ(second.at("/next_before"), "");
}

TEST_P(RegistryWebhooks, say_when_no_thread_takes_an_example) {
  const std::string path = std::string(kWebhooks) + "/" + make() + "/test";
  EXPECT_EQ(post(path, R"({"event":"no.such"})").status(), 400);
  EXPECT_EQ(post(std::string(kWebhooks) + "/nobody/test", "{}").status(), 404);
  EXPECT_EQ(post(path, "{}").status(), 429) << "the sender was not started";
}

INSTANTIATE_TEST_SUITE_P(
    Stores, RegistryWebhooks, ::testing::ValuesIn(store::TemporaryStore::kinds())
);

}  // namespace
}  // namespace cortex::frontend::registry_api
