// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/oip_codec.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::oip {
namespace {

using testing::body_of;
using testing::call;
using testing::FakeExchange;

constexpr std::string_view kInfer = "/v2/models/{model}/infer";
constexpr std::string_view kInput =
    R"({"inputs":[{"name":"A","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}])";

std::shared_ptr<registry::ServingVersion> add_model() {
  auto version = std::make_shared<registry::ServingVersion>();
  version->identity = {"add", "2"};
  version->platform = "onnxruntime_onnx";
  version->ready_versions = {"1", "2"};
  version->signature.inputs = {{"A", DataType::kFp32, {-1, 4}, false}};
  version->signature.outputs = {{"S", DataType::kBytes, {-1}, false}};
  version->config.name = "add";
  version->config.backend = "onnx";
  version->config.default_filename = "model.onnx";
  version->config.max_batch_size = 8;
  version->config.batching.enabled = true;
  version->config.batching.preferred_sizes = {4, 8};
  version->config.parameters = {{"graph_level", "all"}};
  return version;
}

// A codec over one model that echoes its input, and whatever was asked of the registry.
struct Served {
  std::shared_ptr<registry::ServingVersion> model = add_model();
  bool ready = true;
  bool answer_at_once = true;
  std::shared_ptr<const Request> request;
  std::shared_ptr<ResponseStream> stream;
  ModelReference asked;
  std::vector<std::string> loads;
  std::optional<std::string> load_config;
  Status load_result;
  OipCodec codec{catalog(), submit(), {"1.2.3", [this] { return ready; }, statistics}};
  Api api = codec.make_api();

  ModelCatalog catalog() {
    ModelCatalog out;
    out.find = [this](const ModelReference& reference) -> Result<registry::Handle> {
      asked = reference;
      if (reference.name == "add") return registry::Handle(model);
      return not_found("Request for unknown model: '" + reference.name + "' is not found");
    };
    out.index = [] {
      using State = registry::VersionState;
      return std::vector<registry::IndexEntry>{
          {"add", "2", State::kReady, ""}, {"bad", "1", State::kFailed, "no such operator"}
      };
    };
    out.ready_models = [] { return std::vector<std::string>{"add"}; };
    out.settled = [] { return true; };
    out.load =
        [this](
            const std::string& name, registry::LoadOverride change, std::function<void(Status)> done
        ) {
          loads.push_back("+" + name);
          load_config = std::move(change.config_json);
          done(load_result);
        };
    out.unload = [this](const std::string& name, std::function<void(Status)> done) {
      loads.push_back("-" + name);
      done(load_result);
    };
    return out;
  }

  static std::vector<ModelStatistics> statistics() {
    ModelStatistics add;
    add.model = {"add", "2"};
    add.last_inference_ms = 1700000000000;
    add.rows = 12;
    add.executions = 5;
    add.success = {6, 6000};
    add.fail = {1, 50};
    add.queue = {6, 600};
    add.compute_infer = {6, 300};
    ModelStatistics gone;
    gone.model = {"bad", "1"};
    return {gone, add};
  }

  Submit submit() {
    return [this](
               std::shared_ptr<const Request> asked_request,
               std::shared_ptr<ResponseStream> asked_stream
           ) {
      request = std::move(asked_request);
      stream = std::move(asked_stream);
      if (answer_at_once) echo();
    };
  }

  void echo() {
    Timings timings;
    timings.batch_size = 1;
    stream->set_served_by({"add", "2"});
    stream->finish(InferOutput{std::get<InferInput>(request->input).inputs, {}}, timings);
  }

  std::shared_ptr<FakeExchange> post(
      std::string_view pattern, std::vector<std::string> values, std::string_view body
  ) {
    HttpRequest http;
    http.id = "http-id";
    http.path_values = std::move(values);
    http.body = body_of(body);
    return call(api, Method::kPost, pattern, std::move(http));
  }
  std::shared_ptr<FakeExchange> get(
      std::string_view pattern, std::vector<std::string> values = {}
  ) {
    HttpRequest http;
    http.path_values = std::move(values);
    return call(api, Method::kGet, pattern, std::move(http));
  }
};

TEST(OipCodec, tells_the_server_and_what_it_can) {
  Served served;
  EXPECT_EQ(
      served.get("/v2")->bytes(),
      R"x({"name":"cortex","version":"1.2.3","extensions":["classification","model_repository",)x"
      R"x("model_repository(unload_dependents)","schedule_policy","model_configuration",)x"
      R"x("binary_tensor_data","parameters","statistics"]})x"
  );
}

TEST(OipCodec, is_ready_when_the_server_is) {
  Served served;
  EXPECT_EQ(served.get("/v2/health/live")->bytes(), R"({"live":true})");
  EXPECT_EQ(served.get("/v2/health/ready")->sent().status, 200);
  served.ready = false;
  EXPECT_EQ(served.get("/v2/health/ready")->sent().status, 503);
  EXPECT_EQ(served.get("/v2/health/live")->sent().status, 200);
}

TEST(OipCodec, tells_the_statistics_of_versions_that_are_ready) {
  Served served;
  const std::string all = served.get("/v2/models/stats")->bytes();
  EXPECT_EQ(
      all,
      R"x({"model_stats":[{"name":"add","version":"2","last_inference":1700000000000,)x"
      R"x("inference_count":12,"execution_count":5,"inference_stats":{)x"
      R"x("success":{"count":6,"ns":6000},"fail":{"count":1,"ns":50},)x"
      R"x("queue":{"count":6,"ns":600},"compute_input":{"count":0,"ns":0},)x"
      R"x("compute_infer":{"count":6,"ns":300},"compute_output":{"count":0,"ns":0},)x"
      R"x("cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},"batch_stats":[]}]})x"
  );
  EXPECT_EQ(served.get("/v2/models/{model}/stats", {"add"})->bytes(), all);
  const auto version = "/v2/models/{model}/versions/{version}/stats";
  EXPECT_EQ(served.get(version, {"add", "2"})->bytes(), all);
  EXPECT_EQ(served.asked.version, "2");
  EXPECT_EQ(served.get("/v2/models/{model}/stats", {"nobody"})->failure().code(), Code::kNotFound);
}

TEST(OipCodec, lists_the_ready_models) {
  Served served;
  EXPECT_EQ(served.get("/v2/models")->bytes(), R"({"models":["add"]})");
}

TEST(OipCodec, describes_a_model_with_its_batch_dimension) {
  Served served;
  EXPECT_EQ(
      served.get("/v2/models/{model}", {"add"})->bytes(),
      R"({"name":"add","versions":["1","2"],"platform":"onnxruntime_onnx",)"
      R"("inputs":[{"name":"A","datatype":"FP32","shape":[-1,4]}],)"
      R"("outputs":[{"name":"S","datatype":"BYTES","shape":[-1]}]})"
  );
}

TEST(OipCodec, tells_the_configuration_in_tritons_form) {
  Served served;
  EXPECT_EQ(
      served.get("/v2/models/{model}/config", {"add"})->bytes(),
      R"({"name":"add","platform":"onnxruntime_onnx","backend":"onnx",)"
      R"("version_policy":{"latest":{"num_versions":1}},"max_batch_size":8,)"
      R"("input":[{"name":"A","data_type":"TYPE_FP32","dims":[4],"optional":false}],)"
      R"("output":[{"name":"S","data_type":"TYPE_STRING","dims":[]}],)"
      R"("instance_group":[{"kind":"KIND_CPU","count":1}],"default_model_filename":"model.onnx",)"
      R"("dynamic_batching":{"preferred_batch_size":[4,8],"max_queue_delay_microseconds":0,)"
      R"("preserve_ordering":false,"priority_levels":0,"default_priority_level":0,)"
      R"("default_queue_policy":{"timeout_action":"REJECT","default_timeout_microseconds":0,)"
      R"("allow_timeout_override":false,"max_queue_size":0},"priority_queue_policy":{}},)"
      R"("parameters":{"graph_level":{"string_value":"all"}},"model_warmup":[],)"
      R"("model_transaction_policy":{"decoupled":false}})"
  );
}

TEST(OipCodec, a_models_readiness_is_its_lease) {
  Served served;
  EXPECT_EQ(
      served.get("/v2/models/{model}/ready", {"add"})->bytes(), R"({"name":"add","ready":true})"
  );
  const auto unknown = served.get("/v2/models/{model}/ready", {"sub"});
  EXPECT_EQ(unknown->failure().code(), Code::kNotFound);
  EXPECT_EQ(unknown->failure().text(), "Request for unknown model: 'sub' is not found");
}

TEST(OipCodec, the_version_of_the_path_is_the_one_meant) {
  Served served;
  const auto pattern = "/v2/models/{model}/versions/{version}";
  EXPECT_TRUE(served.get(pattern, {"add", "2"})->failure().ok());
  EXPECT_EQ(served.asked.version, "2");
  EXPECT_EQ(served.get(pattern, {"add", "x"})->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(served.get(pattern, {"add@1", "2"})->failure().code(), Code::kInvalidArgument);
  EXPECT_TRUE(served.get("/v2/models/{model}", {"add@1"})->failure().ok());
  EXPECT_EQ(served.asked.version, "1");
  EXPECT_EQ(served.get("/v2/models/{model}", {"../etc"})->failure().code(), Code::kInvalidArgument);
}

TEST(OipCodec, infers_and_fills_the_record) {
  Served served;
  const auto exchange = served.post(kInfer, {"add"}, std::string(kInput) + R"(,"id":"9"})");
  EXPECT_EQ(
      exchange->bytes(),
      R"({"id":"9","model_name":"add","model_version":"2","outputs":[)"
      R"({"name":"A","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]}]})"
  );
  EXPECT_EQ(served.request->id, "http-id");
  EXPECT_EQ(exchange->record().model.version, "2");
  EXPECT_EQ(exchange->record().timings.batch_size, 1U);
}

TEST(OipCodec, answers_binary_when_asked) {
  Served served;
  const auto exchange = served.post(
      kInfer, {"add"}, std::string(kInput) + R"(,"parameters":{"binary_data_output":true}})"
  );
  EXPECT_EQ(exchange->sent().content_type, "application/octet-stream");
  const std::size_t head = std::stoul(exchange->header("Inference-Header-Content-Length"));
  EXPECT_EQ(exchange->bytes().size(), head + 16);
}

TEST(OipCodec, a_header_length_of_zero_is_a_raw_request) {
  Served served;
  HttpRequest http;
  http.path_values = {"add"};
  http.body = body_of(std::string(16, '\0'));
  http.inference_header_length = 0;
  const auto exchange = call(served.api, Method::kPost, kInfer, std::move(http));
  EXPECT_EQ(exchange->sent().segments.size(), 1U);
  EXPECT_EQ(std::get<InferInput>(served.request->input).inputs.at(0).shape, (Shape{1, 4}));
}

TEST(OipCodec, ranks_classes_in_each_row_of_a_batched_model) {
  Served served;
  const auto exchange = served.post(
      kInfer,
      {"add"},
      std::string(kInput) + R"(,"outputs":[{"name":"A","parameters":{"classification":2}}]})"
  );
  EXPECT_NE(
      exchange->bytes().find(R"("datatype":"BYTES","shape":[1,2],"data":["4:3","3:2"])"),
      std::string::npos
  );
}

TEST(OipCodec, a_bad_body_is_refused_before_it_is_submitted) {
  Served served;
  EXPECT_EQ(served.post(kInfer, {"add"}, "{")->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(served.post(kInfer, {"add"}, "")->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(served.request, nullptr);
}

TEST(OipCodec, the_servables_error_is_the_answer) {
  Served served;
  served.answer_at_once = false;
  const auto exchange = served.post(kInfer, {"add"}, std::string(kInput) + "}");
  EXPECT_FALSE(exchange->answered());
  served.stream->finish(resource_exhausted("full"));
  EXPECT_EQ(exchange->failure().code(), Code::kResourceExhausted);
  EXPECT_EQ(exchange->record().model.name, "add");
}

TEST(OipCodec, an_answer_of_another_kind_is_our_fault) {
  Served served;
  served.answer_at_once = false;
  const auto exchange = served.post(kInfer, {"add"}, std::string(kInput) + "}");
  served.stream->finish(EmbeddingOutput{}, {});
  EXPECT_EQ(exchange->failure().code(), Code::kInternal);
}

TEST(OipCodec, a_client_that_leaves_cancels_its_request) {
  Served served;
  served.answer_at_once = false;
  const auto exchange = served.post(kInfer, {"add"}, std::string(kInput) + "}");
  EXPECT_FALSE(served.stream->cancelled());
  exchange->disconnect();
  EXPECT_TRUE(served.stream->cancelled());
  served.stream->finish(cancelled("left"));
}

TEST(OipCodec, nothing_is_kept_behind_the_answer) {
  Served served;
  auto exchange = served.post(kInfer, {"add"}, std::string(kInput) + "}");
  const std::weak_ptr<FakeExchange> open = exchange;
  const std::weak_ptr<ResponseStream> stream = served.stream;
  served.stream.reset();
  exchange.reset();
  EXPECT_TRUE(open.expired());
  EXPECT_TRUE(stream.expired());
}

TEST(OipCodec, shows_the_repository) {
  Served served;
  constexpr auto kIndex = "/v2/repository/index";
  EXPECT_EQ(
      served.post(kIndex, {}, "")->bytes(),
      R"([{"name":"add","version":"2","state":"READY","reason":""},)"
      R"({"name":"bad","version":"1","state":"UNAVAILABLE","reason":"no such operator"}])"
  );
  EXPECT_EQ(
      served.post(kIndex, {}, R"({"ready":true})")->bytes(),
      R"([{"name":"add","version":"2","state":"READY","reason":""}])"
  );
  EXPECT_EQ(served.post(kIndex, {}, R"({"ready":1})")->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(
      served.post("/v2/repository/{repository}/index", {"r"}, "")->failure().text(),
      "'repository' specification is not supported"
  );
}

TEST(OipCodec, loads_and_unloads_models) {
  Served served;
  constexpr auto kLoad = "/v2/repository/models/{model}/load";
  constexpr auto kUnload = "/v2/repository/models/{model}/unload";
  EXPECT_EQ(served.post(kLoad, {"org/m"}, "{}")->sent().status, 200);
  EXPECT_EQ(served.load_config, std::nullopt);
  EXPECT_EQ(
      served.post(kLoad, {"m"}, R"({"parameters":{"config":"{\"max_batch_size\":2}"}})")->bytes(),
      ""
  );
  EXPECT_EQ(served.load_config, R"({"max_batch_size":2})");
  EXPECT_EQ(
      served.post(kUnload, {"m"}, R"({"parameters":{"unload_dependents":true}})")->sent().status,
      200
  );
  EXPECT_EQ(served.loads, (std::vector<std::string>{"+org/m", "+m", "-m"}));
  served.load_result = invalid_argument("broken");
  EXPECT_EQ(served.post(kLoad, {"m"}, "")->failure().text(), "broken");
}

TEST(OipCodec, refuses_what_a_load_cannot_do) {
  Served served;
  constexpr auto kLoad = "/v2/repository/models/{model}/load";
  for (const std::string_view body :
       {"[",
        "[]",
        R"({"parameters":1})",
        R"({"parameters":{"config":{}}})",
        R"({"parameters":{"file:1/model.onnx":"AA=="}})",
        R"({"parameters":{"speed":"high"}})"}) {
    EXPECT_EQ(served.post(kLoad, {"m"}, body)->failure().code(), Code::kInvalidArgument) << body;
  }
  EXPECT_EQ(served.post(kLoad, {"../m"}, "")->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(
      served
          .post(
              "/v2/repository/models/{model}/unload",
              {"m"},
              R"({"parameters":{"unload_dependents":2}})"
          )
          ->failure()
          .code(),
      Code::kInvalidArgument
  );
  EXPECT_TRUE(served.loads.empty());
}

TEST(OipCodec, errors_are_tritons) {
  Served served;
  EXPECT_EQ(
      served.api.error_body(400, invalid_argument("say \"x\""), ""), R"({"error":"say \"x\""})"
  );
}

}  // namespace
}  // namespace cortex::frontend::oip
