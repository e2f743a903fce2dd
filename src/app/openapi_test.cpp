// SPDX-License-Identifier: Apache-2.0
// /openapi.json of a whole server against the routes that it serves.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/application.h"
#include "config/setting_table.h"
#include "frontend/codec/oip/model_document.h"
#include "net/http_client.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using frontend::Api;
using frontend::Method;
using frontend::Route;
using frontend::RouteMatch;

constexpr auto kMethods = std::to_array<std::pair<Method, std::string_view>>(
    {{Method::kGet, "get"},
     {Method::kHead, "head"},
     {Method::kPost, "post"},
     {Method::kPut, "put"},
     {Method::kPatch, "patch"},
     {Method::kDelete, "delete"},
     {Method::kOptions, "options"}}
);

// OpenAPI has no sign for "the rest of the path".
std::string described_path(std::string path) {
  std::erase(path, '*');
  return path;
}

// "get /v2/models/{model}".
std::string name_of(const Api& api, const Route& route) {
  const auto found = std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& known) {
    return known.first == route.method;
  });
  return std::string(found->second) + " " + described_path(api.prefix + std::string(route.pattern));
}

// A path that the pattern takes: "/v2/models/x".
std::string filled(std::string_view path) {
  std::string out;
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '{') {
      out.push_back(path[at]);
      continue;
    }
    out.push_back('x');
    at = path.find('}', at);
  }
  return out;
}

std::string_view text_of(Scope scope) {
  constexpr auto kNames = std::to_array<std::pair<Scope, std::string_view>>(
      {{Scope::kNone, "none"},
       {Scope::kRead, "read"},
       {Scope::kInfer, "infer"},
       {Scope::kAdmin, "admin"}}
  );
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& known) {
    return known.first == scope;
  });
  return found == kNames.end() ? "" : found->second;
}

// Those of `these` that `others` lack.
std::vector<std::string> difference(
    const std::set<std::string>& these, const std::set<std::string>& others
) {
  std::vector<std::string> out;
  std::ranges::set_difference(these, others, std::back_inserter(out));
  return out;
}

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

bool is_mlflow(const json::object& operation) { return operation.at("tags").at(0) == "mlflow"; }

// Those of MLflow's that are always refused: they take nothing and give nothing.
constexpr auto kRefused = std::to_array<std::string_view>(
    {"post /api/2.0/mlflow/artifacts/presigned-upload-url",
     "post /api/2.0/mlflow/artifacts/presigned-download-url",
     "post /api/3.0/mlflow/workspaces",
     "patch /api/3.0/mlflow/workspaces/{workspace}",
     "delete /api/3.0/mlflow/workspaces/{workspace}"}
);

// Every API that can be switched on, also those that need a database.
config::Settings everything(const fs::path& data) {
  config::Settings settings;
  for (const config::Setting& setting : config::setting_table()) {
    if (!setting.path.starts_with("apis.")) continue;
    EXPECT_TRUE(assign(setting, settings, std::vector<std::string>{"true"}).ok()) << setting.path;
  }
  settings.data = data.string();
  settings.http.port = 0;
  settings.metrics.port = 0;
  settings.log.level = log::Level::kError;
  return settings;
}

class OpenApiTest : public testing::Test {
 protected:
  OpenApiTest()
      : data_(fs::path(testing::TempDir()) / ("cortex_openapi_" + std::to_string(getpid()))) {}
  ~OpenApiTest() override {
    app_.reset();
    fs::remove_all(data_);
  }

  void SetUp() override {
    auto made = Application::make(everything(data_));
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    app_ = std::move(made).value();
    const Status started = app_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    net::HttpClientOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(app_->http_port());
    auto client = net::HttpClient::make(options);
    ASSERT_TRUE(client.ok());
    net::HttpCall call;
    call.target = "/openapi.json";
    const auto answer = client->send(call);
    ASSERT_TRUE(answer.ok()) << answer.status().to_string();
    document_ = json::parse(answer->body);
    paths_ = document_.at("paths").as_object();
    schemas_ = document_.at("components").at("schemas").as_object();
  }

  [[nodiscard]] const std::vector<Api>& apis() const { return app_->routes().apis(); }

  fs::path data_;
  std::unique_ptr<Application> app_;
  json::value document_;
  json::object paths_;
  json::object schemas_;
};

TEST_F(OpenApiTest, describes_every_field_of_the_repository_index) {
  registry::IndexEntry entry{"m", "1", registry::VersionState::kReady, "why"};
  entry.memory_bytes = 1;
  const json::value index = json::parse(frontend::oip::index_document({entry}, false));
  const json::value& described = schemas_.at("RepositoryIndex").at("items").at("properties");
  for (const auto& field : index.at(0).as_object()) {
    EXPECT_TRUE(described.as_object().contains(field.key())) << field.key();
  }
}

TEST_F(OpenApiTest, describes_every_route_once_and_nothing_else) {
  std::set<std::string> described;
  for (const auto& path : paths_) {
    for (const auto& operation : path.value().as_object()) {
      described.insert(std::string(operation.key()) + " " + std::string(path.key()));
    }
  }
  std::set<std::string> routed;
  for (const Api& api : apis()) {
    for (const Route& route : api.routes) {
      if (!route.described) continue;
      EXPECT_TRUE(routed.insert(name_of(api, route)).second) << name_of(api, route);
    }
  }
  EXPECT_THAT(difference(described, routed), testing::IsEmpty()) << "described and not routed";
  EXPECT_THAT(difference(routed, described), testing::IsEmpty()) << "routed and not described";
  for (const std::string_view one :
       {"get /metrics",
        "post /v2/models/{model}/infer",
        "post /v1/chat/completions",
        "post /v1/messages",
        "post /api/chat",
        "post /api/v1/lora/register",
        "post /api/2.0/mlflow/runs/create",
        "get /api/v2/registry/models"}) {
    EXPECT_TRUE(routed.contains(std::string(one))) << one << ": an API is not switched on";
  }
}

TEST_F(OpenApiTest, every_reference_leads_somewhere) {
  std::set<std::string> references;
  collect_references(document_, references);
  EXPECT_FALSE(references.empty());
  for (const std::string& reference : references) {
    boost::system::error_code error;
    EXPECT_NE(document_.find_pointer(reference.substr(1), error), nullptr) << reference;
  }
}

TEST_F(OpenApiTest, what_changes_something_says_what_it_takes) {
  std::set<std::string> bare;
  for (const auto& path : paths_) {
    for (const auto& operation : path.value().as_object()) {
      const std::string_view method = operation.key();
      const bool takes = method == "post" || method == "put" || method == "patch";
      if (!takes || operation.value().as_object().contains("requestBody")) continue;
      bare.insert(std::string(method) + " " + std::string(path.key()));
    }
  }
  for (const std::string_view refused : kRefused) bare.erase(std::string(refused));
  EXPECT_THAT(
      bare,
      testing::UnorderedElementsAre(
          "post /api/v1/lora/load/{name}",
          "post /api/v2/backups",
          "post /v1/responses/compact",  // refused
          "post /v1/responses/{response_id}/cancel"
      )
  );
}

TEST_F(OpenApiTest, every_read_of_mlflow_names_its_parameters) {
  std::set<std::string> bare;
  for (const auto& path : paths_) {
    const json::object& methods = path.value().as_object();
    const json::value* const read = methods.if_contains("get");
    if (read == nullptr || !is_mlflow(read->as_object())) continue;
    const auto is_query = [](const json::value& one) {
      const json::value* const place = one.as_object().if_contains("in");
      return place != nullptr && *place == "query";
    };
    const json::array& parameters = read->at("parameters").as_array();
    if (!std::ranges::any_of(parameters, is_query)) bare.emplace(path.key());
  }
  EXPECT_THAT(
      bare,
      testing::UnorderedElementsAre(
          "/version",
          "/api/3.0/mlflow/server-info",
          "/api/3.0/mlflow/workspaces",
          "/api/3.0/mlflow/workspaces/{workspace}",
          "/api/2.0/mlflow/webhooks/{webhook_id}",
          "/api/2.0/mlflow-artifacts/artifacts/{path}",
          "/api/2.0/mlflow-artifacts/presigned/{path}"
      )
  );
}

TEST_F(OpenApiTest, every_answer_of_mlflow_has_a_shape) {
  for (const auto& path : paths_) {
    for (const auto& operation : path.value().as_object()) {
      const std::string name = std::string(operation.key()) + " " + std::string(path.key());
      const json::object& said = operation.value().as_object();
      if (!is_mlflow(said) || std::ranges::find(kRefused, name) != kRefused.end()) continue;
      EXPECT_TRUE(said.at("responses").at("200").as_object().contains("content")) << name;
    }
  }
}

TEST_F(OpenApiTest, a_run_can_be_made_and_read_by_what_is_said) {
  const json::value& create = paths_.at("/api/2.0/mlflow/runs/create").at("post");
  EXPECT_EQ(
      create.at_pointer("/requestBody/content/application~1json/schema/$ref"),
      "#/components/schemas/MlflowNewRun"
  );
  EXPECT_EQ(
      create.at_pointer("/responses/200/content/application~1json/schema/$ref"),
      "#/components/schemas/MlflowRunReply"
  );
  const json::value& get = paths_.at("/api/2.0/mlflow/runs/get").at("get");
  EXPECT_EQ(
      get.at_pointer("/parameters/0"),
      json::parse(R"({"name":"run_id","in":"query","required":true,"schema":{"type":"string"}})")
  );
  const json::value& upload = paths_.at("/api/2.0/mlflow-artifacts/artifacts/{path}").at("put");
  EXPECT_EQ(
      upload.at_pointer("/requestBody/content/application~1octet-stream/schema/$ref"),
      "#/components/schemas/MlflowOctets"
  );
}

TEST_F(OpenApiTest, every_change_of_the_registry_may_be_asked_for_once) {
  std::size_t changes = 0;
  for (const auto& path : paths_) {
    for (const auto& operation : path.value().as_object()) {
      const json::object& said = operation.value().as_object();
      const bool registry = std::string_view(path.key()).starts_with("/api/v2/registry/");
      if (!registry || operation.key() != "post" || said.at("x-scope") != "admin") continue;
      ++changes;
      const auto names_key = [](const json::value& one) {
        const json::value* const name = one.as_object().if_contains("name");
        return name != nullptr && *name == "Idempotency-Key";
      };
      EXPECT_TRUE(std::ranges::any_of(said.at("parameters").as_array(), names_key)) << path.key();
    }
  }
  EXPECT_GT(changes, 0u);
}

TEST_F(OpenApiTest, what_is_not_described_is_another_address_of_what_is) {
  using Meaning = std::tuple<std::string_view, Method, std::string_view, std::string_view, Scope>;
  const auto meaning_of = [](const Api& api, const Route& route) {
    return Meaning(api.name, route.method, route.pattern, route.summary, route.scope);
  };
  std::set<Meaning> described;
  for (const Api& api : apis()) {
    for (const Route& route : api.routes) {
      if (route.described) described.insert(meaning_of(api, route));
    }
  }
  for (const Api& api : apis()) {
    for (const Route& route : api.routes) {
      EXPECT_TRUE(described.contains(meaning_of(api, route))) << name_of(api, route);
    }
  }
}

TEST_F(OpenApiTest, what_is_described_is_answered_by_that_route_for_that_scope) {
  for (const auto& path : paths_) {
    for (const auto& operation : path.value().as_object()) {
      const auto method = std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& known) {
        return known.second == std::string_view(operation.key());
      });
      ASSERT_NE(method, kMethods.end()) << operation.key();
      const RouteMatch match = app_->routes().match(method->first, filled(path.key()));
      ASSERT_EQ(match.kind, RouteMatch::Kind::kFound) << operation.key() << " " << path.key();
      EXPECT_EQ(described_path(std::string(match.pattern)), std::string(path.key()));
      const json::object& said = operation.value().as_object();
      EXPECT_EQ(std::string_view(said.at("summary").as_string()), match.route->summary);
      EXPECT_EQ(std::string_view(said.at("x-scope").as_string()), text_of(match.route->scope));
    }
  }
}

}  // namespace
}  // namespace cortex::app
