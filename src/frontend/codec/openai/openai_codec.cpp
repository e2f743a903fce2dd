// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/openai_codec.h"

#include <utility>
#include <variant>

#include "base/json_text.h"
#include "frontend/codec/openai/embeddings_reply.h"
#include "frontend/codec/openai/embeddings_request.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/generation_reply.h"
#include "frontend/codec/openai/openai_error.h"
#include "frontend/codec/openai/schemas.h"
#include "frontend/codec/streamed_call.h"
#include "frontend/codec/unary_call.h"
#include "request/adapter_choice.h"
#include "request/model_reference.h"

namespace cortex::frontend::openai {
namespace {

std::string error_body(int, const Status& status, std::string_view) { return error_text(status); }

void append_head(std::string& out, std::string_view id, std::int64_t created) {
  out.append(R"({"id":)");
  append_json_string(out, id);
  out.append(R"(,"object":"model","created":)").append(std::to_string(created));
  out.append(R"(,"owned_by":"cortex")");
}

// In Ollama's words, as other servers tell it here, too.
std::string_view capabilities_of(const registry::ServingVersion& version) {
  if (version.signature.generates) return R"(["completion"])";
  if (registry::reranks(version)) return R"(["rerank"])";
  return registry::embeds(version) ? R"(["embedding"])" : "[]";
}

void append_model(
    std::string& out,
    std::string_view id,
    std::int64_t created,
    const registry::ServingVersion& version
) {
  append_head(out, id, created);
  out.append(R"(,"root":)");
  append_json_string(out, id);
  out.append(R"(,"parent":null,"capabilities":)").append(capabilities_of(version)).push_back('}');
}

void append_adapter(std::string& out, std::string_view id, const OfferedAdapter& adapter) {
  append_head(out, id, adapter.created_at / 1000);
  out.append(R"(,"root":)");
  append_json_string(out, adapter.path);
  out.append(R"(,"parent":)");
  append_json_string(out, adapter.base_model);
  out.push_back('}');
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

GenerationPlan plan_of(const GenerationCall& call, const OpenAiOptions& options) {
  GenerationPlan plan;
  plan.created = options.now() / 1000;
  plan.model = call.model;
  plan.fingerprint = options.fingerprint;
  plan.sequences = call.inputs.front().sequences;
  plan.requests = call.inputs.size();
  plan.logprobs = call.inputs.front().top_logprobs.has_value();
  plan.include_usage = call.include_usage;
  plan.continuous_usage = call.continuous_usage;
  return plan;
}

Result<Requests> requests_of(const HttpRequest& http, GenerationCall& call) {
  auto reference = ModelReference::parse(call.model);
  if (!reference.ok()) return reference.status().with_field("model");
  Requests out;
  for (GenerationInput& input : call.inputs) {
    std::shared_ptr<Request> request = request_from(http);
    request->model = *reference;
    request->niceness = call.niceness;
    request->input = std::move(input);
    out.push_back(std::move(request));
  }
  return out;
}

}  // namespace

OpenAiCodec::OpenAiCodec(ModelCatalog catalog, Submit submit, OpenAiOptions options)
    : catalog_(std::move(catalog)), submit_(std::move(submit)), options_(std::move(options)) {}

struct OpenAiCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (OpenAiCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
  std::string_view event_schema = {};
  BodyMode body = BodyMode::kBuffered;
  int success_status = 200;
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
    {Method::kPost,
     "/v1/chat/completions",
     Scope::kInfer,
     "Go on with a conversation; with `stream` as events",
     &OpenAiCodec::chat,
     "ChatCompletionRequest",
     "ChatCompletion",
     "ChatCompletionChunk"},
    {Method::kPost,
     "/v1/completions",
     Scope::kInfer,
     "Go on with texts; with `stream` as events",
     &OpenAiCodec::completion,
     "CompletionRequest",
     "Completion",
     "Completion"},
    {Method::kGet,
     "/v1/stream",
     Scope::kInfer,
     "Many chats over one WebSocket, as streams: docs/streaming.md has the messages",
     &OpenAiCodec::socket,
     {},
     {},
     {},
     BodyMode::kUpgraded,
     101},
};

Api OpenAiCodec::make_api() {
  Api api;
  api.name = "openai";
  api.error_body = error_body;
  api.error_schema = "OpenAiError";
  api.schemas = generation_schemas();
  for (const Entry& entry : kEntries) {
    Route route{entry.method, entry.pattern, entry.scope, api.name, entry.summary, {}, 0, {}, {}};
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.request_schema = entry.request_schema;
    route.response_schema = entry.response_schema;
    route.event_schema = entry.event_schema;
    route.body = entry.body;
    route.success_status = entry.success_status;
    api.routes.push_back(std::move(route));
  }
  return api;
}

void OpenAiCodec::list_models(const ExchangePtr& exchange) const {
  std::string body = R"({"object":"list","data":[)";
  for (const std::string& name : catalog_.ready_models()) {
    const auto handle = catalog_.find(ModelReference{name, "", "", ""});
    if (!handle.ok()) continue;  // it has just gone
    if (body.back() != '[') body.push_back(',');
    append_model(body, name, options_.created, **handle);
  }
  for (const OfferedAdapter& adapter : adapters()) {
    if (body.back() != '[') body.push_back(',');
    append_adapter(body, adapter.name, adapter);
  }
  reply_json(*exchange, body.append("]}"));
}

void OpenAiCodec::model(const ExchangePtr& exchange) const {
  const std::string& name = exchange->request().path_values.at(0);
  const auto reference = ModelReference::parse(name);
  if (!reference.ok()) return exchange->fail(reference.status());
  const auto handle = catalog_.find(*reference);
  if (!handle.ok()) return exchange->fail(handle.status());
  const std::string& served = (*handle)->identity.name;
  const auto choice = AdapterChoice::parse(reference->adapter);
  const std::string& asked = choice.ok() ? choice->name : reference->name;
  std::string body;
  for (const OfferedAdapter& adapter : adapters()) {
    if (asked != served && adapter.name == asked) append_adapter(body, name, adapter);
  }
  if (body.empty()) append_model(body, name, options_.created, **handle);
  reply_json(*exchange, std::move(body));
}

std::vector<OfferedAdapter> OpenAiCodec::adapters() const {
  return catalog_.adapters ? catalog_.adapters() : std::vector<OfferedAdapter>();
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

void OpenAiCodec::chat(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<GenerationCall> call = read_chat(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  GenerationPlan plan = plan_of(*call, options_);
  plan.id = "chatcmpl-" + options_.draw();
  Result<Requests> requests = requests_of(http, *call);
  if (!requests.ok()) return exchange->fail(requests.status());
  if (call->stream) {
    return submit_streamed(submit_, exchange, std::move(*requests), chat_stream(std::move(plan)));
  }
  submit_collected(submit_, exchange, std::move(*requests), chat_collector(std::move(plan)));
}

void OpenAiCodec::socket(const ExchangePtr& exchange) const {
  serve_stream_socket(
      exchange,
      options_.sockets,
      [this](const ExchangePtr& generation, const std::string& id) { generate(generation, id); }
  );
}

void OpenAiCodec::generate(const ExchangePtr& exchange, const std::string& id) const {
  const HttpRequest& http = exchange->request();
  Result<GenerationCall> call = read_chat(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  GenerationPlan plan = plan_of(*call, options_);
  plan.id = "chatcmpl-" + options_.draw();
  Result<Requests> requests = requests_of(http, *call);
  if (!requests.ok()) return exchange->fail(requests.status());
  submit_streamed(
      submit_, exchange, std::move(*requests), socket_writer(chat_stream(std::move(plan)), id)
  );
}

void OpenAiCodec::completion(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<GenerationCall> call = read_completion(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  GenerationPlan plan = plan_of(*call, options_);
  plan.id = "cmpl-" + options_.draw();
  Result<Requests> requests = requests_of(http, *call);
  if (!requests.ok()) return exchange->fail(requests.status());
  if (call->stream) {
    return submit_streamed(
        submit_, exchange, std::move(*requests), completion_stream(std::move(plan))
    );
  }
  submit_collected(submit_, exchange, std::move(*requests), completion_collector(std::move(plan)));
}

}  // namespace cortex::frontend::openai
