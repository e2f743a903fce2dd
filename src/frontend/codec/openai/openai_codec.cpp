// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/openai_codec.h"

#include <utility>
#include <variant>

#include "base/json_text.h"
#include "frontend/codec/openai/embeddings_reply.h"
#include "frontend/codec/openai/embeddings_request.h"
#include "frontend/codec/unary_call.h"
#include "frontend/status_map.h"
#include "request/model_reference.h"

namespace cortex::frontend::openai {
namespace {

// A 404 of ours is always a model: other paths belong to no route.
std::string_view error_code(const Status& status) {
  if (status.code() == Code::kNotFound) return "model_not_found";
  return status_row(status.code()).openai_code;
}

std::string error_body(int, const Status& status) {
  std::string out = R"({"error":{"message":)";
  append_json_string(out, status.text());
  out.append(R"(,"type":)");
  append_json_string(out, status_row(status.code()).openai_type);
  out.append(R"(,"param":null,"code":)");
  append_json_string(out, error_code(status));
  return out.append("}}");
}

void append_model(std::string& out, std::string_view id, std::int64_t created) {
  out.append(R"({"id":)");
  append_json_string(out, id);
  out.append(R"(,"object":"model","created":)").append(std::to_string(created));
  out.append(R"(,"owned_by":"cortex"})");
}

void reply_json(Exchange& exchange, std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  exchange.reply(std::move(reply));
}

Answer embeddings_answer(EmbeddingsPlan plan) {
  return [plan = std::move(plan)](
             ResponsePart&& part, const std::shared_ptr<ResponseStream>& stream
         ) -> Result<HttpReply> {
    const auto* output = std::get_if<EmbeddingOutput>(&part);
    if (output == nullptr) return internal("a servable answered texts with something else");
    return write_embeddings_reply(plan, *output, stream->timings().input_tokens);
  };
}

}  // namespace

OpenAiCodec::OpenAiCodec(ModelCatalog catalog, Submit submit, OpenAiOptions options)
    : catalog_(std::move(catalog)), submit_(std::move(submit)), options_(options) {}

struct OpenAiCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (OpenAiCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
};

const OpenAiCodec::Entry OpenAiCodec::kEntries[] = {
    {Method::kGet,
     "/v1/models",
     Scope::kRead,
     "Models that are ready",
     &OpenAiCodec::list_models,
     {},
     "OpenAiModelList"},
    {Method::kGet,
     "/v1/models/{model}",
     Scope::kRead,
     "One model",
     &OpenAiCodec::model,
     {},
     "OpenAiModel"},
    {Method::kPost,
     "/v1/embeddings",
     Scope::kInfer,
     "Embed texts",
     &OpenAiCodec::embeddings,
     "EmbeddingsRequest",
     "EmbeddingsResponse"},
};

Api OpenAiCodec::make_api() {
  Api api;
  api.name = "openai";
  api.error_body = error_body;
  api.error_schema = "OpenAiError";
  for (const Entry& entry : kEntries) {
    Route route{entry.method, entry.pattern, entry.scope, api.name, entry.summary, {}, 0, {}, {}};
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.request_schema = entry.request_schema;
    route.response_schema = entry.response_schema;
    api.routes.push_back(std::move(route));
  }
  return api;
}

void OpenAiCodec::list_models(const ExchangePtr& exchange) const {
  std::string body = R"({"object":"list","data":[)";
  for (const std::string& name : catalog_.ready_models()) {
    if (body.back() != '[') body.push_back(',');
    append_model(body, name, options_.created);
  }
  reply_json(*exchange, body.append("]}"));
}

void OpenAiCodec::model(const ExchangePtr& exchange) const {
  const std::string& name = exchange->request().path_values.at(0);
  const auto reference = ModelReference::parse(name);
  if (!reference.ok()) return exchange->fail(reference.status());
  const auto handle = catalog_.find(*reference);
  if (!handle.ok()) return exchange->fail(handle.status());
  std::string body;
  append_model(body, name, options_.created);
  reply_json(*exchange, std::move(body));
}

void OpenAiCodec::embeddings(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<EmbeddingsCall> call = read_embeddings(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = ModelReference::parse(call->model);
  if (!reference.ok()) return exchange->fail(reference.status());
  EmbeddingsPlan plan{std::move(call->model), 0, call->base64, call->dimensions};
  plan.inputs = call->input.texts.size() + call->input.tokens.size();
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  submit_unary(submit_, exchange, std::move(request), embeddings_answer(std::move(plan)));
}

}  // namespace cortex::frontend::openai
