// SPDX-License-Identifier: Apache-2.0
#include "whole_server.h"

#include <unistd.h>

#include <fstream>
#include <utility>
#include <vector>

#include "backend/testing/sample_models.h"
#include "base/clock.h"

namespace cortex {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFree = "free";  // a key that may all
constexpr std::string_view kOnce = "once";  // and one that may ask once in a minute

constexpr std::string_view kInfer =
    R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]})";
constexpr std::string_view kAdapter =
    R"({"name":"poet","base_model":"verses","path":"poet.adapter"})";
constexpr std::string_view kComplete = R"({"model":"poet","prompt":"abc","max_tokens":3})";

// A list without entries, of objects or of uploads.
std::string empty_list(const std::string& root) {
  return "<" + root + R"( xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)" +
         "<Name>b</Name><IsTruncated>false</IsTruncated></" + root + ">";
}

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

frontend::Api bucket_api() {
  frontend::Route list;
  list.pattern = "/b/";
  list.scope = Scope::kNone;
  list.handler = [](const std::shared_ptr<frontend::Exchange>& exchange) {
    const bool uploads = exchange->request().query.find("uploads") != std::string::npos;
    frontend::HttpReply reply;
    reply.body = empty_list(uploads ? "ListMultipartUploadsResult" : "ListBucketResult");
    exchange->reply(std::move(reply));
  };
  frontend::Api api;
  api.routes.push_back(std::move(list));
  api.error_body = [](int, const Status& status, std::string_view) {
    return std::string(status.text());
  };
  return api;
}

}  // namespace

WholeServer::WholeServer()
    : folder_(fs::temp_directory_path() / ("cortex_whole_server_" + std::to_string(getpid()))) {
  write_models();
  write_keys();
}

WholeServer::~WholeServer() {
  app_.reset();
  bucket_.reset();
  fs::remove_all(folder_);
}

void WholeServer::write_models() const {
  const fs::path models = folder_ / "models";
  constexpr std::string_view kPair = "inputs: INPUT0 FP32 [-1,2]\n";
  write(models / "two/model.yaml", "backend: synthetic\nversion_policy: all\n");
  write(models / "two/1/model.synthetic", kPair);
  write(models / "two/2/model.synthetic", std::string(kPair) + "fail_every: 1\n");
  write(models / "broken/1/model.synthetic", "load_fails: it is broken\n");
  write(models / "verses/model.yaml", "backend: synthetic_sequences\n");
  write(models / "verses/1/sequences.synthetic", "");
  // What probations find out is known of those alone whose library could bring a process down.
  backend::testing::write_file(
      models / "plain/1/model.onnx", backend::testing::identity_model(DataType::kFp32, {-1, 2})
  );
  write(folder_ / "adapters/poet.adapter", "synthetic adapter\npoet\n");
}

void WholeServer::write_keys() const {
  // The digests of their names.
  write(
      folder_ / "keys.yaml",
      "- name: free\n"
      "  scopes: [read, infer, admin]\n"
      "  sha256: ad95d5fa651ba86d8923fe1238d24a4f1988a752acfe426ac72ac7c04471bc17\n"
      "- name: once\n"
      "  scopes: [read]\n"
      "  limits: {requests_per_minute: 1}\n"
      "  sha256: 200651a8b2d5912f692db89468a7d47d86a3ed6844f48f1b15f2be1d9c9a7e5e\n"
  );
}

Status WholeServer::start_bucket() {
  CORTEX_ASSIGN_OR_RETURN(
      frontend::RouteTable routes,
      frontend::RouteTable::build(std::vector<frontend::Api>{bucket_api()})
  );
  frontend::HttpServerOptions options;
  options.port = 0;
  bucket_ = std::make_unique<frontend::HttpServer>(
      std::move(options),
      frontend::HttpService{std::move(routes), std::nullopt, &everybody_, &records_}
  );
  return bucket_->start();
}

config::Settings WholeServer::settings() const {
  const std::string other = "http://127.0.0.1:" + std::to_string(bucket_->port());
  config::Settings out;
  out.data = (folder_ / "data").string();
  out.http.port = 0;
  out.metrics.port = 0;
  out.models.repositories = {(folder_ / "models").string()};
  out.adapters.folder = (folder_ / "adapters").string();
  out.auth.keys_file = (folder_ / "keys.yaml").string();
  out.store.artifacts.url = "s3://b";
  out.store.artifacts.endpoint = other;
  out.store.artifacts.path_style = true;
  out.store.artifacts.access_key = "key";
  out.store.artifacts.secret_key = "secret";
  out.remote.url = other;
  out.remote.models = {"elsewhere"};
  out.log.access = config::AccessLog::kOff;
  return out;
}

Status WholeServer::start() {
  CORTEX_RETURN_IF_ERROR(start_bucket());
  CORTEX_ASSIGN_OR_RETURN(app_, app::Application::make(settings(), CORTEX_PROGRAM));
  CORTEX_RETURN_IF_ERROR(app_->start());
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(60);
  while (!app_->settled()) {
    if (steady_clock().now() > deadline) return deadline_exceeded("the models did not settle");
  }
  return ask();
}

Status WholeServer::ask() const {
  CORTEX_RETURN_IF_ERROR(expect(200, "POST", "/v2/models/two/infer", kInfer, kFree));
  CORTEX_RETURN_IF_ERROR(expect(500, "POST", "/v2/models/two/versions/2/infer", kInfer, kFree));
  CORTEX_RETURN_IF_ERROR(expect(200, "POST", "/api/v1/lora/register", kAdapter, kFree));
  CORTEX_RETURN_IF_ERROR(expect(200, "POST", "/v1/completions", kComplete, kFree));
  CORTEX_RETURN_IF_ERROR(expect(200, "GET", "/v1/models", "", kOnce));
  return expect(429, "GET", "/v1/models", "", kOnce);
}

Status WholeServer::expect(
    int status,
    std::string_view method,
    std::string_view target,
    std::string_view body,
    std::string_view key
) const {
  CORTEX_ASSIGN_OR_RETURN(const net::HttpAnswer answer, send(method, target, body, key));
  if (answer.status == status) return {};
  return failed_precondition(
      std::string(target) + " answered " + std::to_string(answer.status) + ": " + answer.body
  );
}

Result<net::HttpAnswer> WholeServer::send(
    std::string_view method, std::string_view target, std::string_view body, std::string_view key
) const {
  net::HttpClientOptions options;
  options.url = "http://127.0.0.1:" + std::to_string(app_->http_port());
  options.key = key;
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, net::HttpClient::make(std::move(options)));
  net::HttpCall call;
  call.method = method;
  call.target = target;
  call.body = body;
  return client.send(call);
}

std::string WholeServer::metrics() const {
  const auto answer = send("GET", "/metrics", "", kFree);
  return answer.ok() && answer->status == 200 ? answer->body : "";
}

}  // namespace cortex
