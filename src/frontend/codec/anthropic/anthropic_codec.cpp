// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/anthropic/anthropic_codec.h"

#include <utility>

#include "frontend/codec/anthropic/messages_reply.h"
#include "frontend/codec/anthropic/messages_request.h"
#include "frontend/codec/unary_call.h"
#include "request/model_reference.h"

namespace cortex::frontend::anthropic {
namespace {

constexpr Schema kMessageSchemas[] = {
    {"AnthropicError",
     "application/json",
     false,
     R"({"type":"object","required":["type","error"],"properties":{"type":{"const":"error"},
      "error":{"type":"object","required":["type","message"],"properties":{
        "type":{"type":"string"},"message":{"type":"string"}}}}})"},
    {"AnthropicContent", "application/json", false, R"({"oneOf":[{"type":"string"},{"type":"array",
      "items":{"type":"object","required":["type"],"properties":{
        "type":{"enum":["text","thinking","redacted_thinking","tool_use","tool_result"]},
        "text":{"type":"string"},"thinking":{"type":"string"},"signature":{"type":"string"},
        "data":{"type":"string"},"id":{"type":"string"},"name":{"type":"string"},
        "input":{"type":"object"},"tool_use_id":{"type":"string"},
        "content":{"description":"Of a result: a text, or blocks of type text.",
          "type":["string","array"]}}}}]})"},
    {"MessagesRequest",
     "application/json",
     false,
     R"({"type":"object","required":["model","max_tokens","messages"],"properties":{
      "model":{"type":"string"},"max_tokens":{"type":"integer","minimum":1},
      "messages":{"type":"array","minItems":1,"items":{"type":"object","required":["role","content"],"properties":{
        "role":{"enum":["user","assistant"]},"content":{"$ref":"#/components/schemas/AnthropicContent"}}}},
      "system":{"$ref":"#/components/schemas/AnthropicContent"},"stream":{"type":"boolean"},
      "stop_sequences":{"type":"array","maxItems":16,"items":{"type":"string"}},
      "temperature":{"type":"number","minimum":0,"maximum":1},"top_p":{"type":"number","minimum":0,"maximum":1},
      "top_k":{"type":"integer","minimum":0},
      "tools":{"type":"array","maxItems":128,"items":{"type":"object","required":["name"],"properties":{
        "name":{"type":"string"},"description":{"type":"string"},"input_schema":{"type":"object"},
        "strict":{"type":"boolean"}}}},
      "tool_choice":{"type":"object","required":["type"],"properties":{"type":{"enum":["auto","any","tool","none"]},
        "name":{"type":"string"},"disable_parallel_tool_use":{"type":"boolean"}}},
      "thinking":{"type":"object","properties":{"type":{"enum":["enabled","adaptive","disabled"]}}},
      "output_config":{"type":"object","properties":{"format":{"type":"object","properties":{
        "type":{"const":"json_schema"},"schema":{"type":"object"}}}}}}})"},
    {"AnthropicMessage",
     "application/json",
     false,
     R"({"type":"object","required":["id","type","role","model","content","usage"],"properties":{
      "id":{"type":"string"},"type":{"const":"message"},"role":{"const":"assistant"},"model":{"type":"string"},
      "content":{"$ref":"#/components/schemas/AnthropicContent"},
      "stop_reason":{"enum":["end_turn","max_tokens","stop_sequence","tool_use",null]},
      "stop_sequence":{"type":["string","null"]},
      "usage":{"type":"object","properties":{"input_tokens":{"type":"integer"},"output_tokens":{"type":"integer"},
        "cache_creation_input_tokens":{"type":"integer"},"cache_read_input_tokens":{"type":"integer"}}}}})"
    },
    {"CountedTokens",
     "application/json",
     false,
     R"({"type":"object","required":["input_tokens"],"properties":{"input_tokens":{"type":"integer"}}})"
    },
    {"AnthropicEvent",
     "application/json",
     false,
     R"({"type":"object","required":["type"],"properties":{"type":{"enum":["message_start",
      "content_block_start","content_block_delta","content_block_stop","message_delta","message_stop","ping",
      "error"]},"message":{"$ref":"#/components/schemas/AnthropicMessage"},"index":{"type":"integer"},
      "content_block":{"type":"object"},"delta":{"type":"object"},"usage":{"type":"object"},
      "error":{"type":"object"}}})"},
};

Result<HttpReply> counted_answer(ResponsePart&& part, const std::shared_ptr<ResponseStream>&) {
  const auto* output = std::get_if<TokenizeOutput>(&part);
  if (output == nullptr) return internal("a servable answered a question about tokens otherwise");
  HttpReply reply;
  reply.body = R"({"input_tokens":)" + std::to_string(output->tokens.size()) + "}";
  return reply;
}

}  // namespace

AnthropicCodec::AnthropicCodec(Submit submit, AnthropicOptions options)
    : submit_(std::move(submit)), options_(std::move(options)) {}

Api AnthropicCodec::make_api() {
  Api api;
  api.name = "anthropic";
  api.error_body = [](int http_status, const Status& status, std::string_view) {
    return error_text(status, http_status);
  };
  api.error_schema = "AnthropicError";
  api.request_id_header = "request-id";
  api.schemas = kMessageSchemas;
  Route& route = api.routes.emplace_back();
  route.method = Method::kPost;
  route.pattern = "/v1/messages";
  route.scope = Scope::kInfer;
  route.api = api.name;
  route.summary = "Go on with a conversation; with `stream` as events";
  route.handler = [this](const std::shared_ptr<Exchange>& exchange) { messages(exchange); };
  route.request_schema = "MessagesRequest";
  route.response_schema = "AnthropicMessage";
  route.event_schema = "AnthropicEvent";
  Route& count = api.routes.emplace_back();
  count.method = Method::kPost;
  count.pattern = "/v1/messages/count_tokens";
  count.scope = Scope::kInfer;
  count.api = api.name;
  count.summary = "Tokens that a conversation would begin with; max_tokens may be left out";
  count.handler = [this](const std::shared_ptr<Exchange>& exchange) { count_tokens(exchange); };
  count.request_schema = "MessagesRequest";
  count.response_schema = "CountedTokens";
  return api;
}

void AnthropicCodec::messages(const std::shared_ptr<Exchange>& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<MessagesCall> call = read_messages(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = ModelReference::parse(call->model);
  if (!reference.ok()) return exchange->fail(reference.status());
  MessagePlan plan{"msg_" + options_.draw(), std::move(call->model)};
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->input = std::move(call->input);
  Requests requests{std::move(request)};
  if (call->stream) {
    return submit_streamed(submit_, exchange, std::move(requests), message_stream(std::move(plan)));
  }
  submit_collected(submit_, exchange, std::move(requests), message_collector(std::move(plan)));
}

void AnthropicCodec::count_tokens(const std::shared_ptr<Exchange>& exchange) const {
  const HttpRequest& http = exchange->request();
  Result<MessagesCall> call = read_counted_messages(http.body->text());
  if (!call.ok()) return exchange->fail(call.status());
  Result<ModelReference> reference = ModelReference::parse(call->model);
  if (!reference.ok()) return exchange->fail(reference.status());
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  TokenizeInput input;
  input.prompt = std::move(call->input.prompt);
  request->input = std::move(input);
  submit_unary(submit_, exchange, std::move(request), counted_answer);
}

}  // namespace cortex::frontend::anthropic
