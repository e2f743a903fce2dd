// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/tokens/tokens_codec.h"

#include <string_view>
#include <utility>
#include <variant>

#include "base/json_text.h"
#include "frontend/codec/openai/openai_error.h"
#include "frontend/codec/tokens/tokens_request.h"
#include "frontend/codec/unary_call.h"
#include "request/model_reference.h"

namespace cortex::frontend::tokens {
namespace {

constexpr Schema kTokenSchemas[] = {
    {"TokenizeRequest",
     "application/json",
     false,
     R"({"type":"object","properties":{
      "model":{"type":"string","description":"May be left out where there is one language model."},
      "prompt":{"type":"string"},"add_special_tokens":{"type":"boolean","default":true},
      "return_token_strs":{"type":"boolean","default":false},
      "messages":{"type":"array","items":{"$ref":"#/components/schemas/ChatMessage"}},
      "tools":{"type":"array","maxItems":128,"items":{"type":"object"}},
      "chat_template_kwargs":{"type":"object"},
      "content":{"type":"string","description":"llama-server's word for the prompt."},
      "add_special":{"type":"boolean","default":false},"with_pieces":{"type":"boolean","default":false}}})"
    },
    {"TokenizeResponse",
     "application/json",
     false,
     R"({"type":"object","required":["tokens"],"properties":{
      "count":{"type":"integer"},"max_model_len":{"type":"integer"},
      "tokens":{"type":"array","items":{"type":["integer","object"],"properties":{"id":{"type":"integer"},
        "piece":{"type":["string","array"],"description":"Bytes where it is no whole character."}}}},
      "token_strs":{"type":["array","null"],"items":{"type":"string"}}}})"},
    {"DetokenizeRequest",
     "application/json",
     false,
     R"({"type":"object","required":["tokens"],"properties":{"model":{"type":"string"},
      "tokens":{"type":"array","maxItems":1048576,"items":{"type":"integer"}}}})"},
    {"DetokenizeResponse",
     "application/json",
     false,
     R"({"type":"object","required":["prompt","content"],"properties":{
      "prompt":{"type":"string"},"content":{"type":"string","description":"The same."}}})"},
};

Status strange_answer() {
  return internal("a servable answered a question about tokens otherwise");
}

// A piece that is no whole character has no JSON text: llama-server shows its bytes.
void append_piece(std::string& out, std::string_view piece) {
  if (is_utf8(piece)) return append_json_string(out, piece);
  out.push_back('[');
  for (const char byte : piece) {
    if (out.back() != '[') out.push_back(',');
    out.append(std::to_string(static_cast<unsigned char>(byte)));
  }
  out.push_back(']');
}

void append_ids(std::string& out, const std::vector<Token>& tokens) {
  out.append(R"("tokens":[)");
  for (const Token token : tokens) {
    if (out.back() != '[') out.push_back(',');
    out.append(std::to_string(token));
  }
  out.push_back(']');
}

std::string vllm_answer(const TokenizeOutput& output, bool pieces) {
  std::string out = R"({"count":)" + std::to_string(output.tokens.size());
  out.append(R"(,"max_model_len":)").append(std::to_string(output.context_length)).push_back(',');
  append_ids(out, output.tokens);
  out.append(R"(,"token_strs":)");
  if (!pieces) return out.append("null}");
  out.push_back('[');
  for (const std::string& piece : output.pieces) {
    if (out.back() != '[') out.push_back(',');
    append_json_string(out, piece);
  }
  return out.append("]}");
}

std::string llama_answer(const TokenizeOutput& output, bool pieces) {
  std::string out = "{";
  if (!pieces) {
    append_ids(out, output.tokens);
    return out.append("}");
  }
  out.append(R"("tokens":[)");
  for (std::size_t i = 0; i < output.tokens.size(); ++i) {
    out.append(i > 0 ? R"(,{"id":)" : R"({"id":)").append(std::to_string(output.tokens[i]));
    out.append(R"(,"piece":)");
    append_piece(out, output.pieces[i]);
    out.push_back('}');
  }
  return out.append("]}");
}

Answer tokenize_answer(Words words, bool pieces) {
  return [words, pieces](ResponsePart&& part, const std::shared_ptr<ResponseStream>&) {
    const auto* output = std::get_if<TokenizeOutput>(&part);
    const bool whole =
        output != nullptr && (!pieces || output->pieces.size() == output->tokens.size());
    if (!whole) return Result<HttpReply>(strange_answer());
    HttpReply reply;
    reply.body =
        words == Words::kVllm ? vllm_answer(*output, pieces) : llama_answer(*output, pieces);
    return Result<HttpReply>(std::move(reply));
  };
}

Result<HttpReply> detokenize_answer(ResponsePart&& part, const std::shared_ptr<ResponseStream>&) {
  const auto* output = std::get_if<DetokenizeOutput>(&part);
  if (output == nullptr) return strange_answer();
  HttpReply reply;
  reply.body = R"({"prompt":)";
  append_json_string(reply.body, output->text);
  reply.body.append(R"(,"content":)");
  append_json_string(reply.body, output->text);
  reply.body.push_back('}');
  return reply;
}

}  // namespace

TokensCodec::TokensCodec(ModelCatalog catalog, Submit submit)
    : catalog_(std::move(catalog)), submit_(std::move(submit)) {}

Api TokensCodec::make_api() {
  Api api;
  api.name = "tokens";
  api.error_body = [](int, const Status& status, std::string_view) {
    return openai::error_text(status);
  };
  api.error_schema = "OpenAiError";
  api.schemas = kTokenSchemas;
  const auto add = [&](std::string_view pattern,
                       std::string_view summary,
                       void (TokensCodec::*handler)(const ExchangePtr&) const) -> Route& {
    Route& route = api.routes.emplace_back();
    route.method = Method::kPost;
    route.pattern = pattern;
    route.scope = Scope::kInfer;
    route.api = api.name;
    route.summary = summary;
    route.handler = [this, handler](const ExchangePtr& exchange) { (this->*handler)(exchange); };
    return route;
  };
  Route& tokenize = add("/tokenize", "The tokens of a text or chat", &TokensCodec::tokenize);
  tokenize.request_schema = "TokenizeRequest";
  tokenize.response_schema = "TokenizeResponse";
  Route& detokenize = add("/detokenize", "The text of tokens", &TokensCodec::detokenize);
  detokenize.request_schema = "DetokenizeRequest";
  detokenize.response_schema = "DetokenizeResponse";
  return api;
}

Result<ModelReference> TokensCodec::model_of(const std::string& name) const {
  if (!name.empty()) {
    auto reference = ModelReference::parse(name);
    if (!reference.ok()) return reference.status().with_field("model");
    return reference;
  }
  std::vector<ModelReference> found;
  for (const std::string& ready : catalog_.ready_models()) {
    auto reference = ModelReference::parse(ready);
    if (!reference.ok()) continue;
    const auto handle = catalog_.find(*reference);
    if (handle.ok() && (*handle)->signature.generates) found.push_back(std::move(*reference));
  }
  if (found.size() == 1) return std::move(found.front());
  return invalid_argument(
             "you must provide a 'model' parameter: there are " + std::to_string(found.size()) +
             " language models"
  )
      .with_field("model");
}

void TokensCodec::tokenize(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<TokenizeCall> call = read_tokenize(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = model_of(call->model);
  if (!reference.ok()) return exchange->fail(reference.status());
  Answer answer = tokenize_answer(call->words, call->input.pieces);
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  submit_unary(submit_, exchange, std::move(request), std::move(answer));
}

void TokensCodec::detokenize(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<DetokenizeCall> call = read_detokenize(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = model_of(call->model);
  if (!reference.ok()) return exchange->fail(reference.status());
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  submit_unary(submit_, exchange, std::move(request), detokenize_answer);
}

}  // namespace cortex::frontend::tokens
