// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/admin/admin_codec.h"

#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "frontend/codec/admin/openapi.h"
#include "frontend/codec/admin/schemas.h"
#include "frontend/codec/oip/oip_codec.h"
#include "frontend/codec/openai/openai_codec.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::admin {
namespace {

namespace json = boost::json;
using testing::call;

struct Served {
  bool settled = true;
  bool draining = false;
  AdminCodec codec{
      catalog(),
      {"1.2.3", [this] { return draining; }, [](bool open) { return open ? "open" : "text"; }}
  };
  Api api = codec.make_api();

  ModelCatalog catalog() {
    ModelCatalog out;
    out.settled = [this] { return settled; };
    out.ready_models = [] { return std::vector<std::string>{"add"}; };
    out.index = [] {
      using State = registry::VersionState;
      return std::vector<registry::IndexEntry>{
          {"add", "2", State::kReady, ""}, {"bad", "1", State::kFailed, "in /models/bad", 0, true}
      };
    };
    return out;
  }
};

TEST(AdminCodec, is_ready_when_settled_and_not_draining) {
  Served served;
  const auto health = [&] { return call(served.api, Method::kGet, "/health/ready"); };
  EXPECT_EQ(health()->sent().status, 200);
  EXPECT_EQ(health()->bytes(), R"({"status":"ok","ready_models":1,"failed_versions":1})");
  served.settled = false;
  EXPECT_EQ(health()->sent().status, 503);
  EXPECT_NE(health()->bytes().find("starting"), std::string::npos);
  served.draining = true;
  EXPECT_NE(health()->bytes().find("draining"), std::string::npos);
  EXPECT_EQ(call(served.api, Method::kGet, "/health/live")->bytes(), R"({"status":"ok"})");
}

TEST(AdminCodec, a_lost_database_is_named_and_does_not_make_the_server_unready) {
  AdminOptions options{"1.2.3", [] { return false; }, nullptr};
  StoreState state{true, 0, 0};
  options.store = [&state] { return state; };
  ModelCatalog catalog;
  catalog.settled = [] { return true; };
  catalog.ready_models = [] { return std::vector<std::string>(); };
  catalog.index = [] { return std::vector<registry::IndexEntry>(); };
  AdminCodec codec(std::move(catalog), std::move(options));
  const Api api = codec.make_api();
  const auto health = [&] { return call(api, Method::kGet, "/health/ready"); };
  EXPECT_NE(health()->bytes().find(R"("store":{"available":true,"waiting":0})"), std::string::npos);
  state = {false, 1'700'000'000'000, 3};
  EXPECT_EQ(health()->sent().status, 200);
  EXPECT_NE(
      health()->bytes().find(R"("store":{"available":false,"lost_since":1700000000000,"waiting":3})"
      ),
      std::string::npos
  ) << health()->bytes();
}

TEST(AdminCodec, metrics_come_in_the_form_that_was_asked) {
  Served served;
  const auto text = call(served.api, Method::kGet, "/metrics");
  EXPECT_EQ(text->bytes(), "text");
  EXPECT_EQ(text->sent().content_type, "text/plain; version=0.0.4; charset=utf-8");
  HttpRequest http;
  http.headers = {{"accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}};
  const auto open = call(served.api, Method::kGet, "/metrics", std::move(http));
  EXPECT_EQ(open->bytes(), "open");
  EXPECT_EQ(
      open->sent().content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8"
  );
}

// All that this folder can mount.
std::vector<Api> all_apis() {
  static Served admin;
  static oip::OipCodec oip({}, {}, {});
  static openai::OpenAiCodec openai({}, {}, {});
  std::vector<Api> apis;
  apis.push_back(oip.make_api());
  apis.push_back(openai.make_api());
  apis.push_back(admin.codec.make_api());
  return apis;
}

json::object document() { return json::parse(openapi_document(all_apis(), "1.2.3")).as_object(); }

std::string_view lower(Method method) { return method == Method::kGet ? "get" : "post"; }

void collect_references(const json::value& value, std::set<std::string>& out) {
  if (value.is_array()) {
    for (const auto& item : value.as_array()) collect_references(item, out);
  }
  if (!value.is_object()) return;
  for (const auto& field : value.as_object()) {
    if (field.key() == "$ref") {
      out.insert(std::string(field.value().as_string()));
    } else {
      collect_references(field.value(), out);
    }
  }
}

TEST(OpenApi, describes_every_route_and_nothing_else) {
  const json::object paths = document()["paths"].as_object();
  std::size_t described = 0;
  for (const auto& path : paths) described += path.value().as_object().size();
  std::size_t routes = 0;
  for (const Api& api : all_apis()) {
    for (const Route& route : api.routes) {
      ++routes;
      ASSERT_TRUE(paths.contains(route.pattern)) << route.pattern;
      ASSERT_TRUE(paths.at(route.pattern).as_object().contains(lower(route.method)))
          << route.pattern;
      const auto& operation =
          paths.at(route.pattern).as_object().at(lower(route.method)).as_object();
      EXPECT_EQ(operation.at("summary").as_string(), route.summary);
      EXPECT_EQ(operation.contains("requestBody"), !route.request_schema.empty()) << route.pattern;
      EXPECT_EQ(operation.contains("security"), route.scope == Scope::kNone) << route.pattern;
    }
  }
  EXPECT_EQ(described, routes);
}

TEST(OpenApi, every_path_parameter_is_declared) {
  const json::object paths = document()["paths"].as_object();
  const auto& infer =
      paths.at("/v2/models/{model}/versions/{version}/infer").as_object().at("post").as_object();
  std::vector<std::string> names;
  for (const auto& parameter : infer.at("parameters").as_array()) {
    const json::object& one = parameter.as_object();
    names.emplace_back(one.contains("name") ? one.at("name").as_string() : "another's");
  }
  EXPECT_EQ(
      std::vector<std::string>(names.begin(), names.begin() + 3),
      (std::vector<std::string>{"model", "version", "Inference-Header-Content-Length"})
  );
}

// The headers of an operation that are described once for all.
std::vector<std::string> common_headers(std::string_view path, std::string_view method) {
  const json::object whole = document();
  constexpr std::string_view kPlace = "#/components/parameters/";
  const json::object& known = whole.at("components").at("parameters").as_object();
  std::vector<std::string> out;
  const auto& operation = whole.at("paths").at(path).at(method).as_object();
  for (const auto& parameter : operation.at("parameters").as_array()) {
    if (!parameter.as_object().contains("$ref")) continue;
    const std::string name(parameter.at("$ref").as_string().subview(kPlace.size()));
    EXPECT_EQ(known.at(name).at("name").as_string(), name);
    EXPECT_EQ(known.at(name).at("in").as_string(), "header");
    out.push_back(name);
  }
  return out;
}

TEST(OpenApi, headers_are_described_where_they_mean_something) {
  using Names = std::vector<std::string>;
  const Names infer = {"x-request-id", "X-MLFLOW-WORKSPACE", std::string(kTimeoutHeader)};
  EXPECT_EQ(common_headers("/v1/chat/completions", "post"), infer);
  EXPECT_EQ(common_headers("/v2/models/{model}/infer", "post"), infer);
  EXPECT_EQ(common_headers("/v1/models", "get"), Names({"x-request-id", "X-MLFLOW-WORKSPACE"}));
  EXPECT_EQ(common_headers("/health", "get"), Names({"x-request-id"}));
}

TEST(OpenApi, every_reference_leads_somewhere_and_every_schema_is_used) {
  const json::value whole = document();
  std::set<std::string> references;
  collect_references(whole, references);
  std::set<std::string> known;
  const auto add = [&](std::span<const Schema> more) {
    for (const Schema& schema : more) {
      EXPECT_TRUE(known.insert("#/components/schemas/" + std::string(schema.name)).second)
          << schema.name;
    }
  };
  add(schemas());
  for (const Api& api : all_apis()) add(api.schemas);
  for (const auto& header : whole.at("components").at("parameters").as_object()) {
    known.insert("#/components/parameters/" + std::string(header.key()));
  }
  EXPECT_EQ(references, known);
}

TEST(OpenApi, answers_that_may_be_streamed_have_both_forms) {
  const json::object paths = document()["paths"].as_object();
  const auto& content = paths.at("/v1/chat/completions")
                            .at("post")
                            .at("responses")
                            .at("200")
                            .at("content")
                            .as_object();
  EXPECT_EQ(
      content.at("application/json").at("schema").at("$ref"), "#/components/schemas/ChatCompletion"
  );
  EXPECT_EQ(
      content.at("text/event-stream").at("schema").at("$ref"),
      "#/components/schemas/ChatCompletionChunk"
  );
}

TEST(OpenApi, operation_ids_are_unique) {
  std::set<std::string> ids;
  const json::object paths = document()["paths"].as_object();
  for (const auto& path : paths) {
    for (const auto& operation : path.value().as_object()) {
      const auto& id = operation.value().as_object().at("operationId").as_string();
      EXPECT_TRUE(ids.insert(std::string(id)).second) << id;
    }
  }
}

TEST(AdminCodec, serves_the_description_of_what_is_mounted) {
  Served served;
  served.codec.describe({served.api});
  const auto description =
      json::parse(call(served.api, Method::kGet, "/openapi.json")->bytes()).as_object();
  EXPECT_EQ(description.at("openapi").as_string(), "3.1.0");
  EXPECT_EQ(description.at("paths").as_object().size(), served.api.routes.size());
}

TEST(AdminCodec, errors_are_one_text) {
  Served served;
  EXPECT_EQ(served.api.error_body(400, invalid_argument("no"), ""), R"({"error":"no"})");
}

}  // namespace
}  // namespace cortex::frontend::admin
