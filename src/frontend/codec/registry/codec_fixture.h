// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "connectors/webhook.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/mlflow/webhook_events.h"
#include "frontend/codec/registry/registry_codec.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "frontend/http/route_table.h"
#include "frontend/http/target.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/signing/signature_policy.h"
#include "store/artifact_index.h"
#include "store/replay_log.h"
#include "store/testing/temporary_store.h"
#include "tracking/experiments.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"
#include "tracking/tracking_schema.h"

namespace cortex::frontend::registry_api {

namespace json = boost::json;

// An answer that comes from another thread.
class WaitingExchange final : public Exchange {
 public:
  explicit WaitingExchange(HttpRequest request) : request_(std::move(request)) {}
  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] RequestRecord& record() override { return record_; }
  void post(std::function<void()> work) override { work(); }
  void reply(HttpReply reply) override { reply_.set_value(std::move(reply)); }
  void fail(const Status& status) override { CHECK(false, status.to_string().c_str()); }
  void begin_stream(HttpReply) override { CHECK(false, "not a streamed route"); }
  [[nodiscard]] bool write(std::string) override { return false; }
  void on_writable(std::function<void()>) override {}
  void end_stream() override {}
  void on_disconnect(std::function<void()>) override {}

  HttpReply wait() { return reply_.get_future().get(); }

 private:
  HttpRequest request_;
  RequestRecord record_;
  std::promise<HttpReply> reply_;
};

struct Reply {
  HttpReply reply;
  json::value body;

  [[nodiscard]] int status() const { return reply.status; }
  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return {};
  }
  // The value at a JSON pointer as text, "" when there is none.
  [[nodiscard]] std::string at(std::string_view pointer) const {
    json::error_code error;
    const json::value* found = body.find_pointer({pointer.data(), pointer.size()}, error);
    if (found == nullptr) return {};
    return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
  }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

class RegistryCodecTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    store_ = std::make_unique<store::TemporaryStore>(
        GetParam(),
        std::vector<store::Schema>{
            registry::catalog_schema(),
            registry::signing_schema(),
            tracking::tracking_schema(),
            store::artifact_schema(),
            store::replay_schema(),
            connectors::webhook_schema()
        }
    );
    auto folder = store::open_artifact_folder(store_->folder() / "artifacts");
    ASSERT_TRUE(folder.ok()) << folder.status().to_string();
    artifacts_ = std::move(*folder);
    sender_ = std::make_unique<connectors::WebhookSender>(
        connectors::WebhookSenderOptions{},
        **store_,
        connectors::SecretBox(connectors::SecretBox::Key{1}),
        mlflow::webhook_feed()
    );
    codec_ = std::make_unique<RegistryCodec>(
        **store_, *artifacts_, RegistryOptions{store_->folder() / "backups", {}, sender_.get()}
    );
    auto table = RouteTable::build({codec_->make_api()});
    ASSERT_TRUE(table.ok()) << table.status().to_string();
    table_ = std::make_unique<RouteTable>(std::move(*table));
    log_models();
  }
  void TearDown() override {
    codec_.reset();
    sender_.reset();
    store_.reset();
  }

  // Two runs, each with a logged model that has an MLmodel.
  void log_models() {
    const Status status = (*store_)->write_and_wait([&](store::Transaction& t) -> Status {
      sources_.clear();
      CORTEX_RETURN_IF_ERROR(
          tracking::ensure_default_experiment(t, "default", "mlflow-artifacts:", 1)
      );
      for (const std::string& shape : {std::string("4"), std::string("8")}) {
        CORTEX_ASSIGN_OR_RETURN(const tracking::Run run, tracking::create_run(t, "default", {}));
        tracking::LogBatch batch;
        batch.params = {{"depth", shape}};
        batch.metrics = {{"auc", std::stod(shape) / 10, 1, 0, "", "", "", ""}};
        CORTEX_RETURN_IF_ERROR(tracking::log_batch(t, "default", run.info.run_id, batch));
        const std::string folder =
            run.info.artifact_uri.substr(std::string("mlflow-artifacts:/").size()) + "/model";
        const store::Blob blob = put_file(
            "run_id: " + run.info.run_id + "\nflavors: {onnx: {data: model.onnx}}\n" +
            "signature: {inputs: '[" + shape + "]'}\n"
        );
        CORTEX_RETURN_IF_ERROR(store::put_artifact(t, "default", folder + "/MLmodel", blob));
        sources_.push_back("runs:/" + run.info.run_id + "/model");
      }
      return {};
    });
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  store::Blob put_file(const std::string& text) {
    auto writer = artifacts_->begin();
    CHECK(writer.ok(), "a blob begins");
    CHECK((*writer)->write(std::as_bytes(std::span(text))).ok(), "a blob is written");
    return *(*writer)->finish();
  }

  // `target` as a client sends it, escapes and query included.
  Reply send(Method method, std::string_view target, std::string_view body, Headers headers) {
    const auto parts = split_target(target);
    const RouteMatch match = table_->match(method, parts->path);
    CHECK(match.route != nullptr, "a route for the path");
    HttpRequest request;
    request.method = method;
    CHECK(percent_decode(parts->path, request.path), "a good path");
    request.query = parts->query;
    request.path_values = match.values;
    request.principal.key = "ada";
    request.body = frontend::testing::body_of(body);
    request.headers = std::move(headers);
    request.headers.emplace_back("content-type", "application/json");
    const auto exchange = std::make_shared<WaitingExchange>(std::move(request));
    match.route->handler(exchange);
    Reply answer{exchange->wait(), {}};
    const bool is_json = answer.reply.content_type == "application/json";
    if (is_json && !answer.reply.body.empty()) answer.body = json::parse(answer.reply.body);
    return answer;
  }
  Reply get(std::string_view target, Headers headers = {}) {
    return send(Method::kGet, target, "", std::move(headers));
  }
  Reply post(std::string_view target, std::string_view body, Headers headers = {}) {
    return send(Method::kPost, target, body, std::move(headers));
  }
  Reply put(std::string_view target, std::string_view body, Headers headers = {}) {
    return send(Method::kPut, target, body, std::move(headers));
  }
  Reply remove(std::string_view target, Headers headers = {}) {
    return send(Method::kDelete, target, "", std::move(headers));
  }

  // The model "churn" with two versions.
  void make_versions() {
    ASSERT_EQ(post("/api/v2/registry/models", R"({"name":"churn"})").status(), 201);
    for (const std::string& source : sources_) {
      const Reply made = post(
          "/api/v2/registry/models/churn/versions",
          json::serialize(json::object{{"source", source}, {"increment", "minor"}})
      );
      ASSERT_EQ(made.status(), 201) << made.reply.body;
    }
  }

  std::unique_ptr<store::TemporaryStore> store_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<connectors::WebhookSender> sender_;  // not started: it tells nobody
  std::unique_ptr<RegistryCodec> codec_;
  std::unique_ptr<RouteTable> table_;
  std::vector<std::string> sources_;
};

}  // namespace cortex::frontend::registry_api
