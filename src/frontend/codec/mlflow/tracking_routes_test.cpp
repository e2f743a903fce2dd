// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/tracking_routes.h"

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_value.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/mlflow/testing/prompt_store.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "frontend/http/route_table.h"
#include "registry/catalog/catalog_schema.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"
#include "tracking/tracking_schema.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;

class TrackingRoutes : public ::testing::Test {
 protected:
  void SetUp() override {
    temporary_ = std::make_unique<store::TemporaryStore>(
        "sqlite",
        std::vector<store::Schema>{
            registry::catalog_schema(), tracking::tracking_schema(), store::artifact_schema()
        }
    );
    prompt_ = std::make_unique<PromptStore>(**temporary_);
    auto folder = store::open_artifact_folder(temporary_->folder() / "artifacts");
    ASSERT_TRUE(folder.ok()) << folder.status().to_string();
    artifacts_ = std::move(*folder);
    codec_ = std::make_unique<MlflowCodec>(*prompt_, *artifacts_, MlflowOptions());
    ASSERT_TRUE(codec_->prepare().ok());
    apis_ = codec_->make_apis();
  }

  const Api& api(std::string_view prefix = "/api/2.0/mlflow") const {
    for (const Api& one : apis_) {
      if (one.prefix == prefix) return one;
    }
    CHECK(false, "no such mount");
    return apis_.front();
  }

  std::shared_ptr<testing::FakeExchange> send(
      Method method, std::string_view pattern, HttpRequest request
  ) {
    return testing::call(api(), method, pattern, std::move(request));
  }
  HttpReply post(std::string_view pattern, std::string_view body, Method method = Method::kPost) {
    HttpRequest request;
    request.headers = {{"content-type", "application/json"}};
    request.body = testing::body_of(body);
    return send(method, pattern, std::move(request))->sent();
  }
  HttpReply get(std::string_view pattern, std::string query) {
    HttpRequest request;
    request.query = std::move(query);
    return send(Method::kGet, pattern, std::move(request))->sent();
  }
  HttpReply model(Method method, std::string_view pattern, std::string id, std::string_view body) {
    HttpRequest request;
    request.headers = {{"content-type", "application/json"}};
    request.path_values = {std::move(id)};
    request.body = testing::body_of(body);
    return send(method, pattern, std::move(request))->sent();
  }

  static json::value parsed(const HttpReply& reply) {
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body);
  }
  static std::string text(const json::value& value, std::string_view pointer) {
    json::error_code error;
    const json::value* found = value.find_pointer({pointer.data(), pointer.size()}, error);
    if (found == nullptr) return "(none)";
    return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
  }
  std::string start_run() {
    return text(
        parsed(post("/runs/create", R"({"run_name":"r","start_time":5})")), "/run/info/run_id"
    );
  }
  json::value run(const std::string& id) { return parsed(get("/runs/get", "run_id=" + id)); }
  static std::string with_run(const std::string& id, std::string_view rest) {
    return R"({"run_id":")" + id + R"(",)" + std::string(rest) + "}";
  }

  std::unique_ptr<store::TemporaryStore> temporary_;
  std::unique_ptr<PromptStore> prompt_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<MlflowCodec> codec_;
  std::vector<Api> apis_;
};

TEST_F(TrackingRoutes, every_route_is_mounted_once_and_for_web_pages_too) {
  EXPECT_TRUE(RouteTable::build(apis_).ok());
  std::set<std::string_view> plain;
  std::set<std::string_view> pages;
  for (const Route& route : api().routes) plain.insert(route.pattern);
  for (const Route& route : api("/ajax-api/2.0/mlflow").routes) pages.insert(route.pattern);
  EXPECT_THAT(pages, IsSupersetOf(plain));
  EXPECT_TRUE(pages.contains("/metrics/get-history-bulk"));
}

TEST_F(TrackingRoutes, reads_need_less_than_writes) {
  for (const MlflowRoute& route : tracking_routes()) {
    const bool reads = route.method == Method::kGet || route.pattern.ends_with("/search");
    EXPECT_EQ(route.scope, reads ? Scope::kRead : Scope::kAdmin) << route.pattern;
  }
}

TEST_F(TrackingRoutes, an_experiment_is_made_found_and_listed) {
  const auto made =
      parsed(post("/experiments/create", R"({"name":"e","tags":[{"key":"k","value":"v"}]})"));
  EXPECT_EQ(text(made, "/experiment_id"), "1");
  const auto found = parsed(get("/experiments/get-by-name", "experiment_name=e"));
  EXPECT_EQ(text(found, "/experiment/experiment_id"), "1");
  EXPECT_EQ(text(found, "/experiment/artifact_location"), "mlflow-artifacts:/1");
  EXPECT_EQ(text(found, "/experiment/lifecycle_stage"), "active");
  EXPECT_EQ(text(found, "/experiment/tags/0/value"), "v");
  EXPECT_EQ(
      text(parsed(get("/experiments/get", "experiment_id=0")), "/experiment/name"), "Default"
  );
  // Without an order, two of one millisecond come by their ids.
  constexpr std::string_view kSearch =
      R"({"max_results":1,"view_type":"ALL","order_by":["experiment_id DESC"]})";
  const auto all = parsed(post("/experiments/search", kSearch));
  EXPECT_EQ(text(all, "/experiments/0/name"), "e");
  EXPECT_NE(text(all, "/next_page_token"), "(none)");
}

TEST_F(TrackingRoutes, a_taken_name_is_a_400_with_its_own_error) {
  EXPECT_EQ(post("/experiments/create", R"({"name":"e"})").status, 200);
  const HttpReply again = post("/experiments/create", R"({"name":"e"})");
  EXPECT_EQ(again.status, 400);
  EXPECT_THAT(again.body, HasSubstr(R"("error_code":"RESOURCE_ALREADY_EXISTS")"));
}

TEST_F(TrackingRoutes, what_is_not_there_is_a_404) {
  for (const HttpReply& reply :
       {get("/experiments/get", "experiment_id=77"),
        get("/experiments/get-by-name", "experiment_name=x"),
        get("/runs/get", "run_id=x"),
        post("/runs/update", R"({"run_id":"x"})"),
        model(Method::kGet, "/logged-models/{model_id}", "m-x", "")}) {
    EXPECT_EQ(reply.status, 404);
    EXPECT_THAT(reply.body, HasSubstr(R"("error_code":"RESOURCE_DOES_NOT_EXIST")"));
  }
}

TEST_F(TrackingRoutes, bad_requests_are_named_in_mlflows_words) {
  EXPECT_EQ(
      post("/experiments/create", "{}").body,
      R"({"error_code":"INVALID_PARAMETER_VALUE","message":"Missing value for required parameter )"
      R"('name'. See the API docs for more information about request parameters."})"
  );
  EXPECT_THAT(
      get("/experiments/get", "experiment_id=x").body, HasSubstr("Invalid experiment ID 'x'.")
  );
  EXPECT_THAT(get("/runs/get", "").body, HasSubstr("'run_id'"));
  EXPECT_THAT(
      post("/runs/log-batch", R"({"run_id":"r","metrics":[{"key":"a","timestamp":1}]})").body,
      HasSubstr("Missing value for required parameter 'metrics[0].value'.")
  );
  EXPECT_THAT(
      post("/runs/search", R"({"experiment_ids":["0"],"max_results":50001})").body,
      HasSubstr("It must be at most 50000")
  );
  EXPECT_THAT(post("/runs/search", R"({"experiment_ids":"0"})").body, HasSubstr("of type 'str'"));
  EXPECT_THAT(post("/runs/create", "[1]").body, HasSubstr("not a JSON object"));
}

TEST_F(TrackingRoutes, a_run_lives_from_start_to_end) {
  const std::string id = start_run();
  EXPECT_EQ(
      post("/runs/log-metric", with_run(id, R"("key":"m","value":"NaN","timestamp":1,"step":"2")"))
          .body,
      "{}"
  );
  EXPECT_EQ(post("/runs/log-parameter", with_run(id, R"("key":"p","value":"1")")).body, "{}");
  EXPECT_EQ(post("/runs/set-tag", with_run(id, R"("key":"t","value":"1")")).body, "{}");
  EXPECT_EQ(
      post(
          "/runs/log-batch",
          with_run(id, R"("metrics":[{"key":"n","value":1.5,"timestamp":3}],"params":[],"tags":[])")
      )
          .body,
      "{}"
  );
  const auto updated =
      parsed(post("/runs/update", with_run(id, R"("status":"FINISHED","end_time":99)")));
  EXPECT_EQ(text(updated, "/run_info/status"), "FINISHED");
  const auto found = run(id);
  EXPECT_EQ(text(found, "/run/info/run_uuid"), id);
  EXPECT_EQ(text(found, "/run/info/end_time"), "99");
  EXPECT_EQ(text(found, "/run/info/artifact_uri"), "mlflow-artifacts:/0/" + id + "/artifacts");
  EXPECT_EQ(text(found, "/run/data/metrics/0/value"), "NaN");
  EXPECT_EQ(text(found, "/run/data/metrics/0/step"), "2");
  EXPECT_EQ(text(found, "/run/data/metrics/1/value"), "1.5E0");
  EXPECT_EQ(text(found, "/run/data/params/0/value"), "1");
  EXPECT_EQ(text(found, "/run/data/tags/1/key"), "t");
}

TEST_F(TrackingRoutes, the_old_name_of_a_run_id_still_works) {
  const std::string id = start_run();
  EXPECT_EQ(get("/runs/get", "run_uuid=" + id).status, 200);
  EXPECT_EQ(
      post("/runs/set-tag", R"({"run_uuid":")" + id + R"(","key":"a","value":"b"})").status, 200
  );
}

TEST_F(TrackingRoutes, a_changed_param_is_refused_and_the_same_one_is_fine) {
  const std::string id = start_run();
  EXPECT_EQ(post("/runs/log-parameter", with_run(id, R"("key":"p","value":"1")")).status, 200);
  EXPECT_EQ(post("/runs/log-parameter", with_run(id, R"("key":"p","value":"1")")).status, 200);
  const HttpReply changed = post("/runs/log-parameter", with_run(id, R"("key":"p","value":"2")"));
  EXPECT_EQ(changed.status, 400);
  EXPECT_THAT(changed.body, HasSubstr("Param with key='p' was already logged with value='1'"));
}

TEST_F(TrackingRoutes, inputs_and_outputs_come_with_the_run) {
  const std::string id = start_run();
  EXPECT_EQ(
      post(
          "/runs/log-inputs",
          with_run(
              id,
              R"("datasets":[{"tags":[{"key":"mlflow.data.context","value":"train"}],)"
              R"("dataset":{"name":"d","digest":"1","source_type":"s","source":"x"}}],)"
              R"("models":[{"model_id":"m-1"}])"
          )
      )
          .body,
      "{}"
  );
  EXPECT_EQ(
      post("/runs/outputs", with_run(id, R"("models":[{"model_id":"m-2","step":"3"}])")).body, "{}"
  );
  const auto found = run(id);
  EXPECT_EQ(text(found, "/run/inputs/dataset_inputs/0/dataset/name"), "d");
  EXPECT_EQ(text(found, "/run/inputs/dataset_inputs/0/tags/0/value"), "train");
  EXPECT_EQ(text(found, "/run/inputs/model_inputs/0/model_id"), "m-1");
  EXPECT_EQ(text(found, "/run/outputs/model_outputs/0/step"), "3");
}

TEST_F(TrackingRoutes, an_old_clients_model_is_remembered_in_a_tag) {
  const std::string id = start_run();
  const json::value description = {
      {"run_id", id},
      {"artifact_path", "model"},
      {"utc_time_created", "now"},
      {"flavors", {{"onnx", {{"data", "model.onnx"}, {"config", {{"a", 1}}}}}}},
      {"signature", "x"}
  };
  const json::value request = {{"run_id", id}, {"model_json", json::serialize(description)}};
  EXPECT_EQ(post("/runs/log-model", json::serialize(request)).body, "{}");
  const json::value history = json::parse(text(run(id), "/run/data/tags/0/value"));
  EXPECT_EQ(text(history, "/0/flavors/onnx/data"), "model.onnx");
  EXPECT_EQ(text(history, "/0/flavors/onnx/config"), "(none)");
  EXPECT_EQ(text(history, "/0/signature"), "(none)");
  EXPECT_THAT(
      post("/runs/log-model", with_run(id, R"("model_json":"{}")")).body,
      HasSubstr("Model json is missing mandatory fields")
  );
}

TEST_F(TrackingRoutes, runs_are_searched_page_by_page) {
  const std::string first = start_run();
  const std::string second = start_run();
  post("/runs/log-metric", with_run(first, R"("key":"m","value":1,"timestamp":1)"));
  const auto found =
      parsed(post("/runs/search", R"({"experiment_ids":["0"],"filter":"metrics.m > 0"})"));
  EXPECT_EQ(text(found, "/runs/0/info/run_id"), first);
  EXPECT_EQ(text(found, "/next_page_token"), "(none)");
  const auto page = parsed(post(
      "/runs/search", R"({"experiment_ids":["0"],"max_results":1,"order_by":["metrics.m ASC"]})"
  ));
  EXPECT_EQ(text(page, "/runs/0/info/run_id"), first);
  const auto next = parsed(post(
      "/runs/search",
      R"({"experiment_ids":["0"],"max_results":1,"order_by":["metrics.m ASC"],"page_token":")" +
          text(page, "/next_page_token") + R"("})"
  ));
  EXPECT_EQ(text(next, "/runs/0/info/run_id"), second);
}

TEST_F(TrackingRoutes, a_metric_is_the_number_that_was_logged_and_is_found_by_it) {
  const std::vector<std::string> values = {
      "0.036712383142708804",
      "1e23",
      "9007199254740993.0",
      "-123456789.12345679",
      "2.5e-310",
      "1e-40",
      "0.30000000000000004"
  };
  const std::string id = start_run();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string metric =
        R"({"key":"m)" + std::to_string(i) + R"(","value":)" + values[i] + R"(,"timestamp":1})";
    parsed(post("/runs/log-batch", with_run(id, R"("metrics":[)" + metric + "]")));
  }
  const std::string read = get("/runs/get", "run_id=" + id).body;
  const auto logged = parse_json_value(read);
  ASSERT_TRUE(logged.ok()) << read;
  const json::array& metrics = logged->at_pointer("/run/data/metrics").as_array();
  ASSERT_EQ(metrics.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(metrics[i].at("value").to_number<double>(), std::strtod(values[i].c_str(), nullptr))
        << read;
    const std::string filter = "metrics.m" + std::to_string(i) + " = " + values[i];
    const auto found =
        parsed(post("/runs/search", R"({"experiment_ids":["0"],"filter":")" + filter + R"("})"));
    EXPECT_EQ(text(found, "/runs/0/info/run_id"), id) << filter;
  }
}

TEST_F(TrackingRoutes, histories_are_read_whole_and_in_samples) {
  const std::string id = start_run();
  for (int i = 0; i < 3; ++i) {
    post(
        "/runs/log-metric",
        with_run(id, R"("key":"m","value":1,"timestamp":1,"step":)" + std::to_string(i))
    );
  }
  const auto whole = parsed(get("/metrics/get-history", "run_id=" + id + "&metric_key=m"));
  EXPECT_EQ(text(whole, "/metrics/2/step"), "2");
  EXPECT_EQ(
      get("/metrics/get-history", "run_id=" + id + "&metric_key=m&max_results=0").status, 400
  );
  const auto samples = parsed(
      get("/metrics/get-history-bulk-interval", "run_ids=" + id + "&metric_key=m&max_results=2")
  );
  EXPECT_EQ(text(samples, "/metrics/1/run_id"), id);
  EXPECT_EQ(text(samples, "/metrics/1/step"), "2");
  EXPECT_THAT(
      get("/metrics/get-history-bulk-interval", "run_ids=a&metric_key=m&start_step=1").body,
      HasSubstr("both must be specified")
  );
}

TEST_F(TrackingRoutes, a_logged_model_lives_from_pending_to_deleted) {
  const auto made = parsed(post(
      "/logged-models", R"({"experiment_id":"0","name":"net","params":[{"key":"p","value":"1"}]})"
  ));
  const std::string id = text(made, "/model/info/model_id");
  EXPECT_THAT(id, StartsWith("m-"));
  EXPECT_EQ(text(made, "/model/info/status"), "LOGGED_MODEL_PENDING");
  EXPECT_EQ(
      text(made, "/model/info/artifact_uri"), "mlflow-artifacts:/0/models/" + id + "/artifacts"
  );
  const auto ready = parsed(
      model(Method::kPatch, "/logged-models/{model_id}", id, R"({"status":"LOGGED_MODEL_READY"})")
  );
  EXPECT_EQ(text(ready, "/model/info/status"), "LOGGED_MODEL_READY");
  EXPECT_EQ(
      model(
          Method::kPatch,
          "/logged-models/{model_id}/tags",
          id,
          R"({"tags":[{"key":"t","value":"1"}]})"
      )
          .body,
      "{}"
  );
  EXPECT_EQ(
      model(
          Method::kPost,
          "/logged-models/{model_id}/params",
          id,
          R"({"params":[{"key":"q","value":"1"}]})"
      )
          .body,
      "{}"
  );
  const auto found = parsed(model(Method::kGet, "/logged-models/{model_id}", id, ""));
  EXPECT_EQ(text(found, "/model/info/tags/0/key"), "t");
  EXPECT_EQ(text(found, "/model/data/params/1/key"), "q");
  const auto searched = parsed(post(
      "/logged-models/search",
      R"({"experiment_ids":["0"],"order_by":[{"field_name":"creation_time","ascending":false}]})"
  ));
  EXPECT_EQ(text(searched, "/models/0/info/model_id"), id);
  EXPECT_EQ(model(Method::kDelete, "/logged-models/{model_id}", id, "").body, "{}");
  EXPECT_EQ(model(Method::kGet, "/logged-models/{model_id}", id, "").status, 404);
}

TEST_F(TrackingRoutes, the_stores_troubles_have_names) {
  prompt_->refusal = unavailable("the database is away");
  const HttpReply away = get("/experiments/get", "experiment_id=0");
  EXPECT_EQ(away.status, 503);
  EXPECT_THAT(away.body, HasSubstr("TEMPORARILY_UNAVAILABLE"));
  prompt_->refusal =
      resource_exhausted("the queue is full").with_retry_after(std::chrono::seconds(1));
  const HttpReply full = post("/runs/create", "{}");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(full.headers.at(0).first, "Retry-After");
}

TEST_F(TrackingRoutes, the_server_tells_what_it_can) {
  const auto info = testing::call(api("/api/3.0/mlflow"), Method::kGet, "/server-info");
  EXPECT_EQ(text(json::parse(info->sent().body), "/store_type"), "SqlStore");
  const auto version = testing::call(api(""), Method::kGet, "/version");
  EXPECT_EQ(version->sent().body, MlflowOptions().mlflow_version);
}

}  // namespace
}  // namespace cortex::frontend::mlflow
