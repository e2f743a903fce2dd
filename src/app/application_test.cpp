// SPDX-License-Identifier: Apache-2.0
#include "app/application.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/announcement.h"
#include "frontend/codec/admin/admin_codec.h"
#include "frontend/codec/oip/oip_codec.h"
#include "frontend/codec/openai/openai_codec.h"
#include "net/http_client.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A whole server on free ports, with the synthetic engine.
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    root_ = fs::path(testing::TempDir()) / ("cortex_application_" + std::to_string(getpid()));
    fs::create_directories(root_ / "echo" / "1");
    std::ofstream(root_ / "echo" / "model.yaml") << "backend: synthetic\nmax_batch_size: 4\n";
    std::ofstream(root_ / "echo" / "1" / "model.synthetic")
        << "result: identity\ninputs: INPUT0 FP32 [-1,2]\n";
    settings_.models.repositories = {root_.string()};
    settings_.http.port = 0;
    settings_.metrics.port = 0;
    settings_.log.level = log::Level::kError;
  }
  ~ServerTest() override {
    app_.reset();
    fs::remove_all(root_);
  }

  void start() {
    auto made = Application::make(settings_);
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    app_ = std::move(made).value();
    const Status started = app_->start();
    ASSERT_TRUE(started.ok()) << started.to_string();
    const TimePoint deadline = steady_clock().now() + std::chrono::seconds(20);
    while (!app_->settled() && steady_clock().now() < deadline) {
    }
    ASSERT_TRUE(app_->settled());
  }

  net::HttpAnswer send(
      std::string_view method,
      std::string_view target,
      std::string_view body = "",
      std::string key = ""
  ) {
    net::HttpClientOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(app_->http_port());
    options.key = std::move(key);
    auto client = net::HttpClient::make(options);
    net::HttpCall call;
    call.method = method;
    call.target = target;
    call.body = body;
    auto answer = client->send(call);
    EXPECT_TRUE(answer.ok()) << answer.status().to_string();
    return answer.ok() ? std::move(answer).value() : net::HttpAnswer{};
  }

  fs::path root_;
  config::Settings settings_;
  std::unique_ptr<Application> app_;
};

constexpr std::string_view kInfer =
    R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1.5,2]}]})";

TEST_F(ServerTest, answers_an_inference_and_counts_it) {
  ASSERT_NO_FATAL_FAILURE(start());
  const auto answer = send("POST", "/v2/models/echo/infer", kInfer);
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("1.5"));
  const auto metrics = send("GET", "/metrics");
  EXPECT_THAT(
      metrics.body, HasSubstr("nv_inference_request_success{model=\"echo\",version=\"1\"} 1\n")
  );
  EXPECT_THAT(metrics.body, HasSubstr("nv_inference_exec_count{model=\"echo\",version=\"1\"} 1\n"));
  EXPECT_THAT(
      metrics.body,
      HasSubstr("cortex_model_load_duration_seconds_count{model=\"echo\",version=\"1\"} 1\n")
  );
  EXPECT_THAT(announcement(*app_), HasSubstr("/v2/models/echo"));
}

TEST_F(ServerTest, wants_a_key_with_the_scope_of_the_route) {
  settings_.auth.api_keys = {"secret"};
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(send("POST", "/v2/models/echo/infer", kInfer).status, 401);
  EXPECT_EQ(send("POST", "/v2/models/echo/infer", kInfer, "secret").status, 200);
  EXPECT_EQ(send("GET", "/v2/health/live").status, 200);
}

TEST_F(ServerTest, keys_of_adapters_guard_every_call_that_manages_them_and_open_nothing_else) {
  settings_.adapters.api_keys = {"one", "two"};
  ASSERT_NO_FATAL_FAILURE(start());
  const auto refused = send("GET", "/api/v1/lora/memory");
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.body, HasSubstr("a key is needed"));
  EXPECT_EQ(send("GET", "/api/v1/lora/memory", "", "three").status, 401);
  EXPECT_EQ(send("GET", "/api/v1/lora/list").status, 401);
  EXPECT_EQ(send("POST", "/api/v1/lora/load/x").status, 401);
  EXPECT_EQ(send("POST", "/v1/load_lora_adapter", "{}").status, 401);
  EXPECT_EQ(send("POST", "/v1/unload_lora_adapter", "{}").status, 401);
  for (const auto* const key : {"one", "two"}) {
    EXPECT_EQ(send("GET", "/api/v1/lora/memory", "", key).status, 200);
    EXPECT_EQ(send("POST", "/api/v1/lora/load/x", "", key).status, 404);
  }
  EXPECT_EQ(send("POST", "/v2/models/echo/infer", kInfer).status, 200);
}

TEST_F(ServerTest, keys_of_the_server_manage_adapters_beside_those_of_adapters) {
  settings_.adapters.api_keys = {"one"};
  settings_.auth.api_keys = {"secret"};
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(send("GET", "/api/v1/lora/memory", "", "one").status, 200);
  EXPECT_EQ(send("GET", "/api/v1/lora/memory", "", "secret").status, 200);
  EXPECT_EQ(send("GET", "/api/v1/lora/memory").status, 401);
  EXPECT_EQ(send("POST", "/v2/models/echo/infer", kInfer, "one").status, 401);
  EXPECT_EQ(send("POST", "/v2/models/echo/infer", kInfer, "secret").status, 200);
}

TEST_F(ServerTest, mounts_only_the_apis_that_are_switched_on) {
  settings_.apis.openai = false;
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(send("GET", "/v1/models").status, 404);
  EXPECT_EQ(send("GET", "/v2").status, 200);
}

TEST_F(ServerTest, tells_which_repository_is_not_there) {
  settings_.models.repositories = {(root_ / "absent").string()};
  auto made = Application::make(settings_);
  ASSERT_TRUE(made.ok());
  EXPECT_THAT((*made)->start().text(), HasSubstr("absent"));
}

TEST_F(ServerTest, tells_what_is_wrong_with_a_key_file) {
  settings_.auth.keys_file = (root_ / "keys.yaml").string();
  std::ofstream(root_ / "keys.yaml") << "[]";
  EXPECT_THAT(Application::make(settings_).status().text(), HasSubstr("holds no key"));
}

TEST_F(ServerTest, serves_metrics_alone_on_their_own_port) {
  settings_.metrics.port = 0;
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(app_->metrics_port(), 0);
  EXPECT_EQ(send("GET", "/metrics").status, 200);
}

// One whose answers take as long as anybody looks, and an adapter over it.
TEST_F(ServerTest, names_an_adapter_in_the_metrics_while_a_request_runs_with_it) {
  fs::create_directories(root_ / "verses" / "1");
  std::ofstream(root_ / "verses" / "model.yaml") << "backend: synthetic_sequences\n";
  std::ofstream(root_ / "verses" / "1" / "sequences.synthetic") << "step_us: 10000\n";
  settings_.adapters.folder = (root_ / "adapters").string();
  fs::create_directories(root_ / "adapters");
  std::ofstream(root_ / "adapters" / "poet.adapter") << "synthetic adapter\npoet\n";
  ASSERT_NO_FATAL_FAILURE(start());
  const auto enrolled = send(
      "POST",
      "/api/v1/lora/register",
      R"({"name":"poet","base_model":"verses","path":"poet.adapter"})"
  );
  ASSERT_EQ(enrolled.status, 200) << enrolled.body;
  const auto running = [this] {
    return send("GET", "/metrics").body.find("running_lora_adapters=\"poet\"") != std::string::npos;
  };
  EXPECT_FALSE(running());
  net::HttpClientOptions options;
  options.url = "http://127.0.0.1:" + std::to_string(app_->http_port());
  auto client = net::HttpClient::make(options);
  net::HttpCall call;
  call.method = "POST";
  call.target = "/v1/completions";
  call.body = R"({"model":"poet","prompt":"abc","max_tokens":900,"ignore_eos":true,"stream":true})";
  bool seen = false;
  const auto left = client->send(call, [&](const net::HttpResponse&, std::string_view) {
    seen = running();
    return cancelled("it has seen enough");
  });
  EXPECT_EQ(left.status().code(), Code::kCancelled);
  EXPECT_TRUE(seen);
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(20);
  while (running() && steady_clock().now() < deadline) {
  }
  EXPECT_FALSE(running()) << "the request is gone";
  EXPECT_THAT(
      send("GET", "/metrics").body,
      HasSubstr("vllm:request_success_total{model_name=\"verses\",version=\"1\","
                "finished_reason=\"abort\"} 1\n")
  );
}

TEST_F(ServerTest, stops_twice_without_harm) {
  ASSERT_NO_FATAL_FAILURE(start());
  app_->stop();
  app_->stop();
}

}  // namespace
}  // namespace cortex::app
