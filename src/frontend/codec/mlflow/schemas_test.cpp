// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/schemas.h"

#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "connectors/webhook_sender.h"
#include "frontend/codec/mlflow/artifact_routes.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "frontend/codec/mlflow/tracking_routes.h"
#include "frontend/codec/mlflow/webhook_events.h"
#include "frontend/codec/mlflow/webhook_routes.h"
#include "store/artifact_folder.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;

json::value parse_text(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size()));
}

json::object schema_named(std::string_view name) {
  for (const Schema& schema : mlflow_schemas()) {
    if (schema.name == name) return parse_text(schema.text).as_object();
  }
  ADD_FAILURE() << "no schema " << name;
  return {};
}

// The least value that the schema takes; text is "1", which is also an id and a number.
json::value least(const json::object& schema) {
  if (const json::value* reference = schema.if_contains("$ref")) {
    const std::string_view path = reference->as_string();
    return least(schema_named(path.substr(path.rfind('/') + 1)));
  }
  if (const json::value* names = schema.if_contains("enum")) return names->at(0);
  if (schema.contains("oneOf")) return 1;
  const std::string_view type = schema.at("type").as_string();
  if (type == "array") return json::array{least(schema.at("items").as_object())};
  if (type == "integer") return 1;
  if (type == "boolean") return true;
  if (type == "string") return "1";
  json::object out;
  if (const json::value* required = schema.if_contains("required")) {
    for (const json::value& name : required->as_array()) {
      out.emplace(
          name.as_string(), least(schema.at("properties").at(name.as_string()).as_object())
      );
    }
  }
  return out;
}

// What a route takes with just what it must have, from its query or its body.
json::object least_request(const RouteWords& words) {
  if (!words.request_schema.empty()) return least(schema_named(words.request_schema)).as_object();
  json::object out;
  for (const RouteParameter& parameter : words.parameters) {
    if (!parameter.required) continue;
    out.emplace(parameter.name, least(parse_text(parameter.schema).as_object()));
  }
  return out;
}

class MlflowSchemas : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = store::open_artifact_folder(store_.folder() / "artifacts");
    ASSERT_TRUE(folder.ok()) << folder.status().to_string();
    artifacts_ = std::move(*folder);
    context_ = std::make_unique<Context>(Context{*store_, *artifacts_, {}, nullptr, &sender_});
    for (auto routes :
         {tracking_routes(), registry_routes(), webhook_routes(), artifact_routes()}) {
      for (MlflowRoute& route : routes) {
        if (route.planner) routes_.push_back(std::move(route));
      }
    }
  }

  // How the route's planner finds the fields.
  [[nodiscard]] Status plan(const MlflowRoute& route, const json::object& fields) const {
    HttpRequest http;
    http.path_values = {"x", "y"};
    const auto document = Document::read_json(json::serialize(fields));
    EXPECT_TRUE(document.ok());
    const Call call{http, document->fields(), http.principal.workspace};
    const Result<Plan> plan = route.planner(*context_, call);
    return call.fields.status().ok() ? plan.status() : call.fields.status();
  }

  store::TemporaryStore store_{"sqlite", {store::artifact_schema()}};
  connectors::WebhookSender sender_{{}, *store_, connectors::SecretBox({}), webhook_feed()};
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<Context> context_;
  std::vector<MlflowRoute> routes_;
};

TEST_F(MlflowSchemas, a_route_is_content_with_what_it_says_it_must_have) {
  for (const MlflowRoute& route : routes_) {
    const Status status = plan(route, least_request(words_of(route)));
    EXPECT_THAT(status.to_string(), testing::Not(testing::HasSubstr("Missing value")))
        << route.pattern;
    EXPECT_THAT(status.to_string(), testing::Not(testing::HasSubstr("must specify")))
        << route.pattern;
  }
}

TEST_F(MlflowSchemas, a_route_refuses_a_request_without_what_it_says_it_must_have) {
  std::size_t tried = 0;
  for (const MlflowRoute& route : routes_) {
    const json::object whole = least_request(words_of(route));
    for (const auto& field : whole) {
      // Whether there are some is known where they are kept.
      if (field.key() == "events") continue;
      json::object less = whole;
      less.erase(field.key());
      const Status status = plan(route, less);
      EXPECT_FALSE(status.ok()) << route.pattern << " without " << field.key();
      EXPECT_THAT(status.to_string(), testing::HasSubstr(field.key())) << route.pattern;
      ++tried;
    }
  }
  EXPECT_GT(tried, 50u);
}

TEST_F(MlflowSchemas, every_message_is_one_that_a_route_or_a_message_names) {
  std::set<std::string> named{"MlflowError", "MlflowVersion"};
  MlflowCodec codec(*store_, *artifacts_, {});
  for (const Api& api : codec.make_apis()) {
    for (const Route& route : api.routes) {
      named.emplace(route.request_schema);
      named.emplace(route.response_schema);
    }
  }
  std::string texts;
  for (const Schema& schema : mlflow_schemas()) texts.append(schema.text);
  std::set<std::string> unnamed;
  for (const Schema& schema : mlflow_schemas()) {
    const std::string name(schema.name);
    const bool inside = texts.find("schemas/" + name + "\"") != std::string::npos;
    if (!inside && !named.contains(name)) unnamed.insert(name);
  }
  EXPECT_THAT(unnamed, testing::IsEmpty());
}

TEST_F(MlflowSchemas, the_events_of_webhooks_are_all_there) {
  const json::object event = schema_named("MlflowWebhookEvent");
  const auto names = [&event](std::string_view field) {
    std::vector<std::string> out;
    for (const json::value& name : event.at("properties").at(field).at("enum").as_array()) {
      out.emplace_back(name.as_string());
    }
    return out;
  };
  EXPECT_THAT(names("entity"), testing::ElementsAreArray(kWebhookEntities));
  EXPECT_THAT(names("action"), testing::ElementsAreArray(kWebhookActions));
}

}  // namespace
}  // namespace cortex::frontend::mlflow
