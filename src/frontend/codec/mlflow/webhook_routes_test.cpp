// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/webhook_routes.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mailbox.h"
#include "connectors/webhook.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/mlflow/testing/prompt_store.h"
#include "frontend/codec/mlflow/webhook_events.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"
#include "tracking/tracking_schema.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WebhookRoutes : public ::testing::Test {
 protected:
  WebhookRoutes()
      : temporary_(
            "sqlite",
            {registry::catalog_schema(),
             tracking::tracking_schema(),
             store::artifact_schema(),
             connectors::webhook_schema()}
        ),
        store_(*temporary_) {
    artifacts_ = *store::open_artifact_folder(temporary_.folder() / "artifacts");
    sender_ = std::make_unique<connectors::WebhookSender>(
        connectors::WebhookSenderOptions{},
        *temporary_,
        connectors::SecretBox(connectors::SecretBox::Key{1}),
        webhook_feed()
    );
    MlflowOptions options;
    options.webhooks = sender_.get();
    codec_ = std::make_unique<MlflowCodec>(store_, *artifacts_, options);
    for (Api& api : codec_->make_apis()) {
      if (api.prefix == "/api/2.0/mlflow") api_ = std::move(api);
    }
  }

  json::value ask(
      Method method, std::string_view pattern, const json::value& body, const std::string& id = {}
  ) {
    HttpRequest request;
    request.headers = {{"content-type", "application/json"}};
    if (!id.empty()) request.path_values = {id};
    if (method == Method::kGet) {
      request.query = body.is_string() ? std::string(body.get_string()) : "";
    } else {
      request.body = frontend::testing::body_of(json::serialize(body));
    }
    const auto exchange = frontend::testing::call(api_, method, pattern, std::move(request));
    status_ = exchange->sent().status;
    text_ = exchange->sent().body;
    return json::parse(text_);
  }
  static std::string text(const json::value& body, std::string_view pointer) {
    json::error_code error;
    const json::value* found = body.find_pointer({pointer.data(), pointer.size()}, error);
    if (found == nullptr) return {};
    return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
  }
  std::string make(json::object wanted = {}) {
    json::object body{
        {"name", "hook"},
        {"url", "https://hooks.example.com/x"},
        {"secret", "geheim"},
        {"events", {{{"entity", "MODEL_VERSION"}, {"action", "CREATED"}}}},
    };
    for (auto& [key, value] : wanted) body[key] = value;
    return text(ask(Method::kPost, "/webhooks", body), "/webhook/webhook_id");
  }

  store::TemporaryStore temporary_;
  PromptStore store_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<connectors::WebhookSender> sender_;
  std::unique_ptr<MlflowCodec> codec_;
  Api api_;
  int status_ = 0;
  std::string text_;
};

TEST_F(WebhookRoutes, make_show_change_and_delete_without_a_word_of_the_secret) {
  const std::string id = make();
  ASSERT_EQ(status_, 200) << text_;
  EXPECT_EQ(text_.find("geheim"), std::string::npos);
  const json::value found = ask(Method::kGet, "/webhooks/{webhook_id}", "", id);
  EXPECT_EQ(text(found, "/webhook/status"), "ACTIVE");
  EXPECT_EQ(text(found, "/webhook/events/0/entity"), "MODEL_VERSION");
  EXPECT_EQ(text(found, "/webhook/events/0/action"), "CREATED");
  EXPECT_TRUE(found.at_pointer("/webhook/creation_timestamp").is_int64());
  const json::value changed =
      ask(Method::kPatch,
          "/webhooks/{webhook_id}",
          {{"status", "DISABLED"}, {"description", "d"}, {"secret", "neu"}},
          id);
  EXPECT_EQ(text(changed, "/webhook/status"), "DISABLED");
  EXPECT_EQ(text(changed, "/webhook/name"), "hook");
  EXPECT_EQ(text_.find("neu"), std::string::npos);
  EXPECT_EQ(text(ask(Method::kGet, "/webhooks", ""), "/webhooks/0/webhook_id"), id);
  ask(Method::kDelete, "/webhooks/{webhook_id}", json::object(), id);
  EXPECT_EQ(status_, 200);
  EXPECT_EQ(
      text(ask(Method::kGet, "/webhooks/{webhook_id}", "", id), "/error_code"),
      "RESOURCE_DOES_NOT_EXIST"
  );
}

TEST_F(WebhookRoutes, keep_the_secret_sealed) {
  const std::string id = make();
  std::string sealed;
  ASSERT_TRUE(temporary_
                  ->read_and_wait([&](store::Transaction& t) -> Status {
                    CORTEX_ASSIGN_OR_RETURN(
                        sealed, connectors::find_sealed_secret(t, "default", id)
                    );
                    return {};
                  })
                  .ok());
  EXPECT_EQ(sealed.find("geheim"), std::string::npos);
  EXPECT_EQ(*sender_->secrets().unseal(sealed, id), "geheim");
}

TEST_F(WebhookRoutes, refuse_what_mlflow_refuses_and_addresses_that_are_not_public) {
  const auto fault = [&](json::object wanted) {
    make(std::move(wanted));
    EXPECT_EQ(status_, 400) << text_;
    return text_;
  };
  EXPECT_THAT(fault({{"name", "No Such"}}), HasSubstr("name is invalid"));
  EXPECT_THAT(fault({{"name", ""}}), HasSubstr("'name'"));
  EXPECT_THAT(fault({{"events", json::array()}}), HasSubstr("non-empty"));
  EXPECT_THAT(
      fault({{"events", {{{"entity", "MODEL_VERSION"}, {"action", "SET"}}}}}),
      HasSubstr("Invalid action 'set' for entity 'model_version'")
  );
  EXPECT_THAT(fault({{"events", {{{"entity", "MODEL_VERSION"}}}}}), HasSubstr("action"));
  EXPECT_THAT(fault({{"url", "http://127.0.0.1:80/"}}), HasSubstr("allow_private"));
  EXPECT_THAT(fault({{"url", "file:///etc/passwd"}}), HasSubstr("http and https"));
  EXPECT_THAT(fault({{"secret", std::string(1001, 'a')}}), HasSubstr("1000 bytes"));
}

// What receivers are told of changes, in their order.
std::vector<std::string> told(store::Store& store) {
  std::vector<std::string> out;
  static_cast<void>(store.read_and_wait([&](store::Transaction& t) -> Status {
    out.clear();
    CORTEX_ASSIGN_OR_RETURN(const auto page, webhook_feed().read(t, "default", 0, 1000));
    for (const connectors::WebhookEvent& event : page.events) {
      const json::value body = json::parse(event.body);
      out.push_back(event.name + " " + json::serialize(body.at("data")));
    }
    return {};
  }));
  return out;
}

Status change_models(store::Transaction& t) {
  const registry::Authorship author{"default", "", "", 1'700'000'000'123};
  registry::NewModel model{"m", "d", {{"k\"", "v"}}};
  CORTEX_RETURN_IF_ERROR(registry::create_model(t, author, model).status());
  registry::NewVersion version;
  version.model = "m";
  version.source = version.location = "1/r/artifacts/m";
  version.run = "r";
  CORTEX_RETURN_IF_ERROR(registry::create_version(t, author, version).status());
  CORTEX_RETURN_IF_ERROR(registry::set_version_tag(t, author, {"m", 1}, "a", "b"));
  CORTEX_RETURN_IF_ERROR(registry::delete_version_tag(t, author, {"m", 1}, "a"));
  CORTEX_RETURN_IF_ERROR(registry::set_model_tag(t, author, "m", "not", "told"));
  registry::AliasChange change{"m", "champion", 1, {}};
  CORTEX_RETURN_IF_ERROR(registry::set_aliases(t, author, std::span(&change, 1)).status());
  change.version = 0;
  return registry::set_aliases(t, author, std::span(&change, 1)).status();
}

TEST_F(WebhookRoutes, tell_of_models_as_mlflow_does) {
  ASSERT_TRUE(temporary_->write_and_wait(change_models).ok());
  EXPECT_THAT(
      told(*temporary_),
      ElementsAre(
          R"(registered_model.created {"name":"m","tags":{"k\"":"v"},"description":"d"})",
          R"(model_version.created {"name":"m","version":"1","source":"1/r/artifacts/m","run_id":"r","tags":{},"description":null})",
          R"(model_version_tag.set {"name":"m","version":"1","key":"a","value":"b"})",
          R"(model_version_tag.deleted {"name":"m","version":"1","key":"a"})",
          R"(model_version_alias.created {"name":"m","alias":"champion","version":"1"})",
          R"(model_version_alias.deleted {"name":"m","alias":"champion"})"
      )
  );
}

Status change_prompts(store::Transaction& t) {
  const registry::Authorship author{"default", "", "", 1};
  const registry::Tags own = {{"mlflow.prompt.is_prompt", "true"}, {"mlflow.prompt.text", "Hi"}};
  CORTEX_RETURN_IF_ERROR(registry::create_model(t, author, {"p", "", own}).status());
  registry::NewVersion version;
  version.model = "p";
  version.tags = own;
  version.tags["x"] = "y";
  CORTEX_RETURN_IF_ERROR(registry::create_version(t, author, version).status());
  return registry::set_model_tag(t, author, "p", "k", "v");
}

TEST_F(WebhookRoutes, tell_of_prompts_as_mlflow_does) {
  ASSERT_TRUE(temporary_->write_and_wait(change_prompts).ok());
  EXPECT_THAT(
      told(*temporary_),
      ElementsAre(
          R"(prompt.created {"name":"p","tags":{},"description":""})",
          R"(prompt_version.created {"name":"p","version":"1","template":"Hi","tags":{"x":"y"},"description":null})",
          R"(prompt_tag.set {"name":"p","key":"k","value":"v"})"
      )
  );
}

TEST_F(WebhookRoutes, write_events_with_their_time_and_the_workspace_that_is_not_the_first) {
  const registry::AuditRow row{
      3,
      "",
      "",
      R"({"action":"alias.set","model":"m","workspace":"team","at":1700000000123,)"
      R"("alias":"a","to":2})"
  };
  const auto event = webhook_event_of(row, false);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->seq, 3);
  EXPECT_EQ(
      event->body,
      R"({"entity":"model_version_alias","action":"created",)"
      R"("timestamp":"2023-11-14T22:13:20.123000+00:00","workspace":"team",)"
      R"("data":{"name":"m","alias":"a","version":"2"}})"
  );
  EXPECT_FALSE(webhook_event_of({1, "", "", "no JSON"}, false).has_value());
}

TEST_F(WebhookRoutes, list_what_a_hook_was_told) {
  const std::string id = make();
  ASSERT_TRUE(temporary_
                  ->write_and_wait([&](store::Transaction& t) -> Status {
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
                      CORTEX_RETURN_IF_ERROR(
                          connectors::note_attempt(t, hooks.at(0), delivery, {}).status()
                      );
                    }
                    return {};
                  })
                  .ok());
  const json::value first =
      ask(Method::kGet, "/webhooks/{webhook_id}/deliveries", "max_results=2", id);
  EXPECT_EQ(text(first, "/deliveries/0/sequence"), "3");
  EXPECT_EQ(text(first, "/deliveries/0/status"), "delivered");
  EXPECT_EQ(text(first, "/deliveries/0/response_body"), "ok");
  const std::string token = text(first, "/next_page_token");
  const json::value second =
      ask(Method::kGet, "/webhooks/{webhook_id}/deliveries", json::value("page_token=" + token), id
      );
  EXPECT_EQ(text(second, "/deliveries/0/sequence"), "1");
  EXPECT_EQ(text(second, "/next_page_token"), "");
}

}  // namespace
}  // namespace cortex::frontend::mlflow
