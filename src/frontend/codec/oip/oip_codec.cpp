// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/oip_codec.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "frontend/codec/oip/infer_reply.h"
#include "frontend/codec/oip/infer_request.h"
#include "frontend/codec/oip/model_document.h"
#include "frontend/codec/oip/repository_request.h"
#include "frontend/codec/unary_call.h"
#include "request/model_reference.h"

namespace cortex::frontend::oip {
namespace {

namespace json = boost::json;

constexpr std::string_view kExtensions =
    R"x(["classification","model_repository","model_repository(unload_dependents)",)x"
    R"x("schedule_policy","model_configuration","binary_tensor_data","parameters","statistics"])x";

std::string error_body(int, const Status& status, std::string_view) {
  std::string out = R"({"error":)";
  append_json_string(out, status.text());
  return out.append("}");
}

void reply_json(Exchange& exchange, std::string body, int status = 200) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  exchange.reply(std::move(reply));
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// {model} and, where the route has it, {version}.
Result<ModelReference> reference_of(const HttpRequest& http) {
  CORTEX_ASSIGN_OR_RETURN(ModelReference reference, ModelReference::parse(http.path_values.at(0)));
  if (http.path_values.size() < 2) return reference;
  const std::string& version = http.path_values[1];
  if (!is_version(version)) {
    return invalid_argument(
        "failed to get model version from specified version string '" + version +
        "', version should be a whole number > 0"
    );
  }
  if (!reference.version.empty() || !reference.alias.empty()) {
    return invalid_argument(
        "model '" + http.path_values[0] + "' names a version, and the path another"
    );
  }
  reference.version = version;
  return reference;
}

Status no_repositories() { return invalid_argument("'repository' specification is not supported"); }

// {model} of the repository routes.
Result<std::string> repository_model(const HttpRequest& http) {
  if (http.path_values.size() > 1) return no_repositories();
  const std::string& name = http.path_values.at(0);
  if (!is_model_name(name)) return invalid_argument("'" + name + "' is not a model name");
  return name;
}

// Triton answers a load and an unload with 200 and nothing else.
std::function<void(Status)> reply_when_done(const std::shared_ptr<Exchange>& exchange) {
  return [exchange](const Status& status) {
    if (!status.ok()) return exchange->fail(status);
    exchange->reply(HttpReply());
  };
}

Result<InferCall> read_call(
    const HttpRequest& http, const ModelCatalog& catalog, const ModelReference& model
) {
  if (http.inference_header_length != std::size_t{0}) {
    return read_infer(http.body, http.inference_header_length);
  }
  CORTEX_ASSIGN_OR_RETURN(const registry::Handle handle, catalog.find(model));
  return read_raw_infer(http.body, *handle);
}

bool wants_classes(const ReplyPlan& plan) {
  return std::any_of(plan.outputs.begin(), plan.outputs.end(), [](const RequestedOutput& output) {
    return output.classes > 0;
  });
}

Answer infer_answer(ReplyPlan plan) {
  return [plan = std::move(plan)](
             ResponsePart&& part, const std::shared_ptr<ResponseStream>& stream
         ) -> Result<HttpReply> {
    auto* output = std::get_if<InferOutput>(&part);
    if (output == nullptr) return internal("a servable answered tensors with something else");
    return write_infer_reply(plan, stream->served_by(), std::move(*output), stream);
  };
}

}  // namespace

OipCodec::OipCodec(ModelCatalog catalog, Submit submit, OipOptions options)
    : catalog_(std::move(catalog)), submit_(std::move(submit)), options_(std::move(options)) {}

struct OipCodec::Entry {
  Method method;
  std::string_view pattern;
  std::string_view also;  // the longer form of the same route, if there is one
  Scope scope;
  std::string_view summary;
  void (OipCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
};

const OipCodec::Entry OipCodec::kEntries[] = {
    {Method::kGet,
     "/v2",
     {},
     Scope::kRead,
     "Server metadata",
     &OipCodec::server_metadata,
     {},
     "ServerMetadata"},
    {Method::kGet,
     "/v2/health/live",
     {},
     Scope::kNone,
     "The server lives",
     &OipCodec::server_live,
     {},
     "Live"},
    {Method::kGet,
     "/v2/health/ready",
     {},
     Scope::kNone,
     "The server takes requests",
     &OipCodec::server_ready,
     {},
     "Ready"},
    {Method::kGet,
     "/v2/models",
     {},
     Scope::kRead,
     "Names of the models that are ready",
     &OipCodec::list_models,
     {},
     "ModelNames"},
    {Method::kGet,
     "/v2/models/{model}",
     "/v2/models/{model}/versions/{version}",
     Scope::kRead,
     "Model metadata",
     &OipCodec::model_metadata,
     {},
     "ModelMetadata"},
    {Method::kGet,
     "/v2/models/{model}/ready",
     "/v2/models/{model}/versions/{version}/ready",
     Scope::kRead,
     "The model takes requests",
     &OipCodec::model_ready,
     {},
     "ModelReady"},
    {Method::kGet,
     "/v2/models/{model}/config",
     "/v2/models/{model}/versions/{version}/config",
     Scope::kRead,
     "Model configuration",
     &OipCodec::model_config,
     {},
     "ModelConfig"},
    {Method::kGet,
     "/v2/models/stats",
     {},
     Scope::kRead,
     "What every version was asked for",
     &OipCodec::all_statistics,
     {},
     "ModelStatistics"},
    {Method::kGet,
     "/v2/models/{model}/stats",
     "/v2/models/{model}/versions/{version}/stats",
     Scope::kRead,
     "What the versions of a model were asked for",
     &OipCodec::model_statistics,
     {},
     "ModelStatistics"},
    {Method::kPost,
     "/v2/models/{model}/infer",
     "/v2/models/{model}/versions/{version}/infer",
     Scope::kInfer,
     "Run a model on tensors",
     &OipCodec::infer,
     "InferRequest",
     "InferResponse"},
    {Method::kPost,
     "/v2/repository/index",
     "/v2/repository/{repository}/index",
     Scope::kRead,
     "Models of the repository",
     &OipCodec::index,
     "RepositoryIndexRequest",
     "RepositoryIndex"},
    {Method::kPost,
     "/v2/repository/models/{model}/load",
     "/v2/repository/{repository}/models/{model}/load",
     Scope::kAdmin,
     "Load a model, or load it anew",
     &OipCodec::load,
     "RepositoryLoadRequest",
     {}},
    {Method::kPost,
     "/v2/repository/models/{model}/unload",
     "/v2/repository/{repository}/models/{model}/unload",
     Scope::kAdmin,
     "Unload a model",
     &OipCodec::unload,
     "RepositoryUnloadRequest",
     {}},
};

Api OipCodec::make_api() {
  Api api;
  api.name = "oip";
  api.error_body = error_body;
  for (const Entry& entry : kEntries) {
    Route route{entry.method, entry.pattern, entry.scope, api.name, entry.summary, {}, 0, {}, {}};
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.request_schema = entry.request_schema;
    route.response_schema = entry.response_schema;
    api.routes.push_back(route);
    if (entry.also.empty()) continue;
    route.pattern = entry.also;
    api.routes.push_back(std::move(route));
  }
  return api;
}

Result<registry::Handle> OipCodec::find(const HttpRequest& http) const {
  CORTEX_ASSIGN_OR_RETURN(const ModelReference reference, reference_of(http));
  return catalog_.find(reference);
}

void OipCodec::server_metadata(const ExchangePtr& exchange) const {
  std::string body = R"({"name":"cortex","version":)";
  append_json_string(body, options_.server_version);
  body.append(R"(,"extensions":)").append(kExtensions).append("}");
  reply_json(*exchange, std::move(body));
}

void OipCodec::server_live(const ExchangePtr& exchange) const {
  reply_json(*exchange, R"({"live":true})");
}

void OipCodec::server_ready(const ExchangePtr& exchange) const {
  const bool ready = options_.ready();
  reply_json(*exchange, ready ? R"({"ready":true})" : R"({"ready":false})", ready ? 200 : 503);
}

void OipCodec::list_models(const ExchangePtr& exchange) const {
  const std::vector<std::string> names = catalog_.ready_models();
  reply_json(
      *exchange, json::serialize(json::object{{"models", json::array(names.begin(), names.end())}})
  );
}

void OipCodec::model_metadata(const ExchangePtr& exchange) const {
  const auto handle = find(exchange->request());
  if (!handle.ok()) return exchange->fail(handle.status());
  reply_json(*exchange, metadata_document(**handle));
}

void OipCodec::model_ready(const ExchangePtr& exchange) const {
  const auto handle = find(exchange->request());
  if (!handle.ok()) return exchange->fail(handle.status());
  reply_json(
      *exchange, json::serialize(json::object{{"name", (*handle)->identity.name}, {"ready", true}})
  );
}

void OipCodec::model_config(const ExchangePtr& exchange) const {
  const auto handle = find(exchange->request());
  if (!handle.ok()) return exchange->fail(handle.status());
  reply_json(*exchange, config_document(**handle));
}

// Of the versions that are ready, in the order of the index: those that nobody asked stand there
// with zeros.
std::vector<ModelStatistics> OipCodec::statistics_of(
    const std::function<bool(const ModelIdentity&)>& wanted
) const {
  std::vector<ModelStatistics> out;
  std::map<std::pair<std::string, std::string>, ModelStatistics> known;
  for (ModelStatistics& model : options_.statistics()) {
    known[{model.model.name, model.model.version}] = std::move(model);
  }
  for (const registry::IndexEntry& entry : catalog_.index()) {
    if (entry.state != registry::VersionState::kReady) continue;
    if (!wanted({entry.name, entry.version})) continue;
    ModelStatistics& model = known[{entry.name, entry.version}];
    model.model = {entry.name, entry.version};
    out.push_back(std::move(model));
  }
  return out;
}

void OipCodec::all_statistics(const ExchangePtr& exchange) const {
  const auto statistics = statistics_of([](const ModelIdentity&) { return true; });
  reply_json(*exchange, statistics_document(statistics));
}

void OipCodec::model_statistics(const ExchangePtr& exchange) const {
  const auto handle = find(exchange->request());
  if (!handle.ok()) return exchange->fail(handle.status());
  const bool one = exchange->request().path_values.size() > 1;
  const ModelIdentity& found = (*handle)->identity;
  const auto statistics = statistics_of([&](const ModelIdentity& model) {
    return model.name == found.name && (!one || model.version == found.version);
  });
  reply_json(*exchange, statistics_document(statistics));
}

void OipCodec::infer(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<ModelReference> model = reference_of(http);
  if (!model.ok()) return exchange->fail(model.status());
  Result<InferCall> call = read_call(http, catalog_, *model);
  if (!call.ok()) return exchange->fail(call.status());
  if (wants_classes(call->plan)) {
    const auto handle = catalog_.find(*model);
    if (!handle.ok()) return exchange->fail(handle.status());
    call->plan.batched = (*handle)->config.max_batch_size > 0;
  }
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*model);
  request->priority = call->priority;
  request->queue_timeout = call->queue_timeout;
  request->parameters = std::move(call->parameters);
  request->input = std::move(call->input);
  submit_unary(submit_, exchange, std::move(request), infer_answer(std::move(call->plan)));
}

void OipCodec::index(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  if (!http.path_values.empty()) return exchange->fail(no_repositories());
  const Result<bool> ready_only = read_index_request(http.body->text());
  if (!ready_only.ok()) return exchange->fail(ready_only.status());
  reply_json(*exchange, index_document(catalog_.index(), *ready_only));
}

void OipCodec::load(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const Result<std::string> name = repository_model(http);
  if (!name.ok()) return exchange->fail(name.status());
  Result<registry::LoadOverride> request = read_load_request(http.body->text());
  if (!request.ok()) return exchange->fail(request.status());
  catalog_.load(*name, std::move(*request), reply_when_done(exchange));
}

void OipCodec::unload(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const Result<std::string> name = repository_model(http);
  if (!name.ok()) return exchange->fail(name.status());
  const Status request = check_unload_request(http.body->text());
  if (!request.ok()) return exchange->fail(request);
  catalog_.unload(*name, reply_when_done(exchange));
}

}  // namespace cortex::frontend::oip
