// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/rerank/rerank_codec.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/detail/number_text.h"
#include "frontend/codec/openai/openai_error.h"
#include "frontend/codec/rerank/rerank_request.h"
#include "frontend/codec/unary_call.h"
#include "request/model_reference.h"

namespace cortex::frontend::rerank {
namespace {

constexpr Schema kSchemas[] = {
    {"RerankRequest",
     "application/json",
     false,
     R"({"type":"object","required":["model","query","documents"],"properties":{
      "model":{"type":"string"},"query":{"type":"string","minLength":1},
      "documents":{"type":"array","minItems":1,"maxItems":2048,"items":{"oneOf":[{"type":"string"},
        {"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}]}},
      "top_n":{"type":"integer","minimum":1,"description":"All where it is left out."},
      "return_documents":{"type":"boolean","description":"True where it is left out, but for /v2/rerank."},
      "truncation":{"type":"boolean","default":true,
        "description":"False refuses texts over the model's context length."}}})"},
    {"RerankResponse",
     "application/json",
     false,
     R"({"type":"object","required":["id","model","results","usage"],"properties":{
      "id":{"type":"string"},"model":{"type":"string"},
      "results":{"type":"array","description":"The best first.","items":{"type":"object",
        "required":["index","relevance_score"],"properties":{
        "index":{"type":"integer","description":"Of the document in the request."},
        "relevance_score":{"type":"number"},
        "document":{"type":"object","properties":{"text":{"type":"string"}}}}}},
      "usage":{"type":"object","properties":{"prompt_tokens":{"type":"integer"},
        "total_tokens":{"type":"integer"}}}}})"},
};

// The documents from the best to the worst; equals in the order of the request.
std::vector<std::size_t> best_first(std::span<const float> scores) {
  std::vector<std::size_t> out(scores.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] > scores[b];
  });
  return out;
}

void append_result(std::string& out, std::size_t index, float score, const std::string* document) {
  out.append(R"({"index":)").append(std::to_string(index)).append(R"(,"relevance_score":)");
  append_json_elements<float>(out, std::as_bytes(std::span(&score, 1)));
  if (document != nullptr) {
    out.append(R"(,"document":{"text":)");
    append_json_string(out, *document);
    out.push_back('}');
  }
  out.push_back('}');
}

Status check(const RerankInput& input, const RerankOutput* output) {
  if (output == nullptr || output->scores.size() != input.documents.size()) {
    return internal("a servable answered a question of ranks otherwise");
  }
  const bool numbers = std::all_of(output->scores.begin(), output->scores.end(), [](float score) {
    return std::isfinite(score);
  });
  return numbers ? Status() : internal("the model's score of a document is no number");
}

// How a call is answered.
struct Form {
  std::string model;
  std::size_t top = 0;
  bool documents = false;
};

std::string answer_text(
    const Form& form, const Request& request, const RerankOutput& output, std::uint64_t tokens
) {
  const auto& input = std::get<RerankInput>(request.input);
  std::string out = R"({"id":)";
  append_json_string(out, "rerank-" + request.id);
  out.append(R"(,"model":)");
  append_json_string(out, form.model);
  out.append(R"(,"results":[)");
  std::vector<std::size_t> order = best_first(output.scores);
  order.resize(std::min(order.size(), form.top));
  for (const std::size_t index : order) {
    if (out.back() != '[') out.push_back(',');
    append_result(
        out, index, output.scores[index], form.documents ? &input.documents[index] : nullptr
    );
  }
  const std::string count = std::to_string(tokens);
  out.append(R"(],"usage":{"prompt_tokens":)").append(count);
  return out.append(R"(,"total_tokens":)").append(count).append("}}");
}

Answer rerank_answer(Form form, const std::shared_ptr<const Request>& request) {
  return [form = std::move(form),
          request](ResponsePart&& part, const std::shared_ptr<ResponseStream>& stream) {
    const auto* output = std::get_if<RerankOutput>(&part);
    const Status status = check(std::get<RerankInput>(request->input), output);
    if (!status.ok()) return Result<HttpReply>(status);
    HttpReply reply;
    reply.body = answer_text(form, *request, *output, stream->timings().input_tokens);
    return Result<HttpReply>(std::move(reply));
  };
}

}  // namespace

RerankCodec::RerankCodec(Submit submit) : submit_(std::move(submit)) {}

Api RerankCodec::make_api() {
  Api api;
  api.name = "rerank";
  api.error_body = [](int, const Status& status, std::string_view) {
    return openai::error_text(status);
  };
  api.error_schema = "OpenAiError";
  api.schemas = kSchemas;
  const auto add = [&](std::string_view pattern, bool documents) {
    Route& route = api.routes.emplace_back();
    route.method = Method::kPost;
    route.pattern = pattern;
    route.scope = Scope::kInfer;
    route.api = api.name;
    route.summary = "Which documents answer a query best";
    route.request_schema = "RerankRequest";
    route.response_schema = "RerankResponse";
    route.handler = [this, documents](const std::shared_ptr<Exchange>& exchange) {
      rerank(exchange, documents);
    };
  };
  // Jina's and vLLM's servers send the documents back, Cohere's second version does not.
  add("/v1/rerank", true);
  add("/rerank", true);
  add("/v2/rerank", false);
  return api;
}

void RerankCodec::rerank(const std::shared_ptr<Exchange>& exchange, bool return_documents) const {
  const HttpRequest& http = exchange->request();
  Result<RerankCall> call = read_rerank(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = ModelReference::parse(call->model);
  if (!reference.ok()) return exchange->fail(reference.status().with_field("model"));
  Form form;
  form.top = call->top.value_or(call->input.documents.size());
  form.documents = call->return_documents.value_or(return_documents);
  form.model = std::move(call->model);
  const std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  submit_unary(submit_, exchange, request, rerank_answer(std::move(form), request));
}

}  // namespace cortex::frontend::rerank
