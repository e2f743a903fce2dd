// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_codec.h"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/ollama/ollama_embed.h"
#include "frontend/codec/ollama/ollama_models.h"
#include "frontend/codec/ollama/ollama_reply.h"
#include "frontend/codec/ollama/ollama_request.h"
#include "frontend/codec/unary_call.h"
#include "request/model_reference.h"

namespace cortex::frontend::ollama {
namespace {

constexpr Schema json_schema(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kOllamaSchemas[] = {
    json_schema(
        "OllamaError",
        R"({"type":"object","required":["error"],"properties":{"error":{"type":"string"}}})"
    ),
    json_schema("OllamaSettings", R"({"type":"object","required":["model"],"properties":{
      "model":{"type":"string"},"stream":{"type":"boolean","default":true},
      "format":{"oneOf":[{"enum":["json",""]},{"type":"object"}]},"think":{"type":["boolean","string"]},
      "logprobs":{"type":"boolean","default":false},"top_logprobs":{"type":"integer","minimum":0,"maximum":20},
      "options":{"type":"object","properties":{"temperature":{"type":"number"},"top_p":{"type":"number"},
        "top_k":{"type":"integer"},"min_p":{"type":"number"},"typical_p":{"type":"number"},
        "repeat_penalty":{"type":"number"},"repeat_last_n":{"type":"integer"},
        "frequency_penalty":{"type":"number"},"presence_penalty":{"type":"number"},"seed":{"type":"integer"},
        "num_predict":{"type":"integer"},"stop":{"type":["string","array"]},"mirostat":{"enum":[0,1,2]},
        "mirostat_tau":{"type":"number"},"mirostat_eta":{"type":"number"}}}}})"),
    json_schema(
        "OllamaMessage",
        R"({"type":"object","required":["role"],"properties":{
      "role":{"enum":["system","user","assistant","tool"]},"content":{"type":"string"},
      "thinking":{"type":"string"},"tool_name":{"type":"string"},
      "tool_calls":{"type":"array","items":{"type":"object","properties":{"function":{"type":"object",
        "properties":{"name":{"type":"string"},"arguments":{"type":"object"}}}}}}}})"
    ),
    json_schema(
        "OllamaChatRequest",
        R"({"allOf":[{"$ref":"#/components/schemas/OllamaSettings"},{"type":"object","properties":{
      "messages":{"type":"array","items":{"$ref":"#/components/schemas/OllamaMessage"}},
      "tools":{"type":"array","items":{"type":"object"}}}}]})"
    ),
    json_schema(
        "OllamaGenerateRequest",
        R"({"allOf":[{"$ref":"#/components/schemas/OllamaSettings"},{"type":"object","properties":{
      "prompt":{"type":"string"},"system":{"type":"string"},"raw":{"type":"boolean"}}}]})"
    ),
    json_schema(
        "OllamaLogprobs",
        R"({"type":"array","items":{"type":"object","required":["token","logprob"],"properties":{
      "token":{"type":"string"},"logprob":{"type":"number"},"bytes":{"type":"array","items":{"type":"integer"}},
      "top_logprobs":{"type":"array","items":{"type":"object","required":["token","logprob"],"properties":{
        "token":{"type":"string"},"logprob":{"type":"number"},
        "bytes":{"type":"array","items":{"type":"integer"}}}}}}}})"
    ),
    json_schema(
        "OllamaAnswer",
        R"({"type":"object","required":["model","created_at","done"],"properties":{
      "model":{"type":"string"},"created_at":{"type":"string"},"done":{"type":"boolean"},
      "message":{"$ref":"#/components/schemas/OllamaMessage"},"response":{"type":"string"},
      "thinking":{"type":"string"},"done_reason":{"enum":["stop","length","load"]},
      "logprobs":{"$ref":"#/components/schemas/OllamaLogprobs"},
      "total_duration":{"type":"integer","description":"Nanoseconds, as the other durations."},
      "load_duration":{"type":"integer"},"prompt_eval_count":{"type":"integer"},
      "prompt_eval_duration":{"type":"integer"},"eval_count":{"type":"integer"},
      "eval_duration":{"type":"integer"}}})"
    ),
    json_schema(
        "OllamaModels",
        R"({"type":"object","required":["models"],"properties":{"models":{"type":"array",
      "items":{"type":"object","properties":{"name":{"type":"string"},"model":{"type":"string"},
        "modified_at":{"type":"string"},"size":{"type":"integer","description":"Bytes."},
        "digest":{"type":"string"},"details":{"$ref":"#/components/schemas/OllamaDetails"},
        "size_vram":{"type":"integer"},"expires_at":{"type":"string"},
        "context_length":{"type":"integer"}}}}}})"
    ),
    json_schema("OllamaDetails", R"({"type":"object","properties":{"parent_model":{"type":"string"},
      "format":{"type":"string"},"family":{"type":"string"},
      "families":{"type":"array","items":{"type":"string"}},"parameter_size":{"type":"string"},
      "quantization_level":{"type":"string"}}})"),
    json_schema(
        "OllamaEmbedRequest",
        R"({"type":"object","required":["model","input"],"properties":{"model":{"type":"string"},
      "input":{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},
      "truncate":{"type":"boolean","default":true}}})"
    ),
    json_schema(
        "OllamaEmbeddings",
        R"({"type":"object","required":["model","embeddings"],"properties":{"model":{"type":"string"},
      "embeddings":{"type":"array","items":{"type":"array","items":{"type":"number"}}},
      "total_duration":{"type":"integer"},"load_duration":{"type":"integer"},
      "prompt_eval_count":{"type":"integer"}}})"
    ),
    json_schema(
        "OllamaShowRequest",
        R"({"type":"object","required":["model"],"properties":{"model":{"type":"string"}}})"
    ),
    json_schema(
        "OllamaModel", R"({"type":"object","properties":{
      "details":{"$ref":"#/components/schemas/OllamaDetails"},"capabilities":{"type":"array",
        "items":{"enum":["completion","tools","thinking","embedding"]}},"model_info":{"type":"object"},
      "template":{"type":"string"},"parameters":{"type":"string"},"modified_at":{"type":"string"}}})"
    ),
    json_schema(
        "OllamaVersion",
        R"({"type":"object","required":["version"],"properties":{"version":{"type":"string"}}})"
    ),
};

void reply_json(Exchange& exchange, std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  exchange.reply(std::move(reply));
}

// What a version added to the process; 0: not known.
std::uint64_t memory_of(
    const std::vector<registry::IndexEntry>& index,
    const std::string& name,
    const registry::ServingVersion& version
) {
  for (const registry::IndexEntry& entry : index) {
    if (entry.name == name && entry.version == version.identity.version) return entry.memory_bytes;
  }
  return 0;
}

}  // namespace

struct OllamaCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (OllamaCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
};

const OllamaCodec::Entry OllamaCodec::kEntries[] = {
    {Method::kPost,
     "/api/chat",
     Scope::kInfer,
     "Go on with a conversation, as lines of JSON unless `stream` is false",
     &OllamaCodec::chat,
     "OllamaChatRequest",
     "OllamaAnswer"},
    {Method::kPost,
     "/api/generate",
     Scope::kInfer,
     "Answer a prompt, as lines of JSON unless `stream` is false",
     &OllamaCodec::generate,
     "OllamaGenerateRequest",
     "OllamaAnswer"},
    {Method::kPost,
     "/api/embed",
     Scope::kInfer,
     "Embed texts",
     &OllamaCodec::embed,
     "OllamaEmbedRequest",
     "OllamaEmbeddings"},
    {Method::kGet,
     "/api/tags",
     Scope::kRead,
     "Language models and models that embed texts, that are ready",
     &OllamaCodec::tags,
     {},
     "OllamaModels"},
    {Method::kGet,
     "/api/ps",
     Scope::kRead,
     "The same models, which are in memory",
     &OllamaCodec::running,
     {},
     "OllamaModels"},
    {Method::kPost,
     "/api/show",
     Scope::kRead,
     "One of these models",
     &OllamaCodec::show,
     "OllamaShowRequest",
     "OllamaModel"},
    {Method::kGet,
     "/api/version",
     Scope::kRead,
     "The server's version",
     &OllamaCodec::version,
     {},
     "OllamaVersion"},
};

OllamaCodec::OllamaCodec(ModelCatalog catalog, Submit submit, OllamaOptions options)
    : catalog_(std::move(catalog)),
      submit_(std::move(submit)),
      options_(std::move(options)),
      started_(options_.now()) {}

Api OllamaCodec::make_api() {
  Api api;
  api.name = "ollama";
  api.error_body = [](int, const Status& status, std::string_view) { return error_text(status); };
  api.error_schema = "OllamaError";
  api.schemas = kOllamaSchemas;
  for (const Entry& entry : kEntries) {
    Route& route = api.routes.emplace_back();
    route.method = entry.method;
    route.pattern = entry.pattern;
    route.scope = entry.scope;
    route.api = api.name;
    route.summary = entry.summary;
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.request_schema = entry.request_schema;
    route.response_schema = entry.response_schema;
  }
  return api;
}

void OllamaCodec::chat(const ExchangePtr& exchange) const {
  Result<OllamaCall> call = read_chat(exchange->request().body->text());
  if (!call.ok()) return exchange->fail(call.status());
  answer(exchange, std::move(*call), true);
}

void OllamaCodec::generate(const ExchangePtr& exchange) const {
  Result<OllamaCall> call = read_generate(exchange->request().body->text());
  if (!call.ok()) return exchange->fail(call.status());
  answer(exchange, std::move(*call), false);
}

void OllamaCodec::answer(const ExchangePtr& exchange, OllamaCall&& call, bool chat) const {
  const HttpRequest& http = exchange->request();
  Result<ModelReference> reference = ModelReference::parse(plain_name(call.model));
  if (!reference.ok()) return exchange->fail(reference.status());
  OllamaPlan plan;
  plan.model = std::move(call.model);
  plan.chat = chat;
  plan.arrival = http.arrival;
  plan.now = options_.now;
  if (call.loads) {
    const auto handle = catalog_.find(*reference);
    if (!handle.ok()) return exchange->fail(handle.status());
    return reply_json(*exchange, loaded_text(plan));
  }
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call.input);
  Requests requests{std::move(request)};
  if (call.stream) {
    return submit_streamed(submit_, exchange, std::move(requests), answer_lines(std::move(plan)));
  }
  submit_collected(submit_, exchange, std::move(requests), answer_collector(std::move(plan)));
}

void OllamaCodec::embed(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<EmbedCall> call = read_embed(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = ModelReference::parse(plain_name(call->model));
  if (!reference.ok()) return exchange->fail(reference.status());
  OllamaPlan plan;
  plan.model = std::move(call->model);
  plan.arrival = http.arrival;
  const std::size_t inputs = call->input.texts.size();
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  auto answer = [plan = std::move(plan), inputs](
                    ResponsePart&& part, const std::shared_ptr<ResponseStream>& stream
                ) -> Result<HttpReply> {
    const auto* output = std::get_if<EmbeddingOutput>(&part);
    if (output == nullptr) return internal("a servable answered texts with something else");
    return write_embed_reply(plan, inputs, *output, stream->timings().input_tokens);
  };
  submit_unary(submit_, exchange, std::move(request), std::move(answer));
}

std::string OllamaCodec::list(bool running) const {
  const auto index = running ? catalog_.index() : std::vector<registry::IndexEntry>();
  std::string out = R"({"models":[)";
  for (const std::string& name : catalog_.ready_models()) {
    const auto reference = ModelReference::parse(name);
    if (!reference.ok()) continue;
    const auto handle = catalog_.find(*reference);
    if (!handle.ok() || !is_listed(**handle)) continue;
    Listing listing{name + ":latest", started_, std::nullopt};
    if (running) listing.memory_bytes = memory_of(index, name, **handle);
    if (out.back() != '[') out.push_back(',');
    out.append(listed_text(**handle, listing));
  }
  return out.append("]}");
}

void OllamaCodec::tags(const ExchangePtr& exchange) const { reply_json(*exchange, list(false)); }

void OllamaCodec::running(const ExchangePtr& exchange) const { reply_json(*exchange, list(true)); }

void OllamaCodec::show(const ExchangePtr& exchange) const {
  Result<std::string> name = read_show(exchange->request().body->text());
  if (!name.ok()) return exchange->fail(name.status());
  const auto reference = ModelReference::parse(plain_name(*name));
  if (!reference.ok()) return exchange->fail(reference.status());
  const auto handle = catalog_.find(*reference);
  if (!handle.ok()) return exchange->fail(handle.status());
  if (!is_listed(**handle)) {
    return exchange->fail(
        not_found("model '" + *name + "' is no language model, and embeds no texts")
    );
  }
  reply_json(*exchange, shown_text(**handle, started_));
}

void OllamaCodec::version(const ExchangePtr& exchange) const {
  std::string out = R"({"version":)";
  append_json_string(out, options_.version);
  reply_json(*exchange, out.append("}"));
}

}  // namespace cortex::frontend::ollama
