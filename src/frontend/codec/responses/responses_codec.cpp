// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/responses_codec.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/openai/openai_error.h"
#include "frontend/codec/responses/input_list.h"
#include "frontend/codec/responses/responses_reply.h"
#include "frontend/codec/responses/schemas.h"
#include "frontend/codec/streamed_call.h"
#include "frontend/codec/unary_call.h"

namespace cortex::frontend::responses {
namespace {

void reply_text(Exchange& exchange, std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  exchange.reply(std::move(reply));
}

// OpenAI's words for it.
Status no_previous(const std::string& id) {
  return invalid_argument("Previous response with id '" + id + "' not found.")
      .with_reason("previous_response_not_found")
      .with_field("previous_response_id");
}

Status read_turns(const std::vector<std::string>& turns, std::vector<Item>& items) {
  std::size_t bytes = 0;
  for (const std::string& turn : turns) bytes += turn.size();
  if (bytes > kConversationBytesMax) {
    return invalid_argument(
               "the conversation has " + std::to_string(bytes) + " bytes; the limit is " +
               std::to_string(kConversationBytesMax)
    )
        .with_field("previous_response_id");
  }
  for (const std::string& turn : turns) CORTEX_RETURN_IF_ERROR(read_kept_items(turn, items));
  if (items.size() <= kConversationItemsMax) return {};
  return invalid_argument(
             "the conversation has " + std::to_string(items.size()) + " items; the limit is " +
             std::to_string(kConversationItemsMax)
  )
      .with_field("previous_response_id");
}

// What a call came to stands behind the call.
Status check_outputs(const std::vector<Item>& items) {
  std::vector<std::string_view> calls;
  for (const Item& item : items) {
    if (item.kind == Item::Kind::kCall) calls.push_back(item.call_id);
    if (item.kind != Item::Kind::kCallOutput) continue;
    if (std::find(calls.begin(), calls.end(), item.call_id) != calls.end()) continue;
    return invalid_argument(
               "No tool call found for function call output with call_id " + item.call_id + "."
    )
        .with_field("input");
  }
  return {};
}

void name_items(std::vector<Item>& items, const std::string& stem) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].id.empty()) continue;
    const bool message = items[i].kind == Item::Kind::kMessage;
    items[i].id = (message ? "msg_" : "item_") + stem + "i" + std::to_string(i);
  }
}

// The messages of the call: its instructions, what was said before, and its input.
Status add_messages(ResponsesCall& call, std::vector<Item> items) {
  items.insert(
      items.end(),
      std::make_move_iterator(call.input.begin()),
      std::make_move_iterator(call.input.end())
  );
  CORTEX_RETURN_IF_ERROR(check_outputs(items));
  std::vector<Message>& messages = call.conversation.messages;
  if (!call.echo.instructions.empty()) {
    Message& system = messages.emplace_back();
    system.role = Role::kSystem;
    system.content = call.echo.instructions;
  }
  append_messages(items, messages);
  return {};
}

Result<HttpReply> counted_answer(ResponsePart&& part, const std::shared_ptr<ResponseStream>&) {
  const auto* output = std::get_if<TokenizeOutput>(&part);
  if (output == nullptr) return internal("a servable answered a question about tokens otherwise");
  HttpReply reply;
  reply.body = R"({"object":"response.input_tokens","input_tokens":)" +
               std::to_string(output->tokens.size()) + "}";
  return reply;
}

}  // namespace

ResponsesCodec::ResponsesCodec(Submit submit, ResponsesOptions options)
    : submit_(std::move(submit)), options_(std::move(options)) {}

struct ResponsesCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (ResponsesCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
  std::string_view event_schema = {};
  std::span<const RouteParameter> parameters = {};
};

const ResponsesCodec::Entry ResponsesCodec::kEntries[] = {
    {Method::kPost,
     "/v1/responses",
     Scope::kInfer,
     "Go on with a conversation that is kept; with `stream` as events",
     &ResponsesCodec::create,
     "ResponsesRequest",
     "OpenAiResponse",
     "OpenAiResponseEvent"},
    {Method::kPost,
     "/v1/responses/input_tokens",
     Scope::kInfer,
     "Tokens that a response would begin with; `input` may be left out",
     &ResponsesCodec::count_tokens,
     "ResponsesRequest",
     "ResponseInputTokens"},
    // Of OpenAI's, and not served: without it the path would be an id that takes no POST.
    {Method::kPost,
     "/v1/responses/compact",
     Scope::kInfer,
     "Refused as a path that is none: no conversation is compacted",
     &ResponsesCodec::no_such_path,
     {},
     {}},
    {Method::kGet,
     "/v1/responses/{response_id}",
     Scope::kInfer,
     "A kept response",
     &ResponsesCodec::get,
     {},
     "OpenAiResponse"},
    {Method::kDelete,
     "/v1/responses/{response_id}",
     Scope::kInfer,
     "Forget a kept response",
     &ResponsesCodec::remove,
     {},
     "DeletedResponse"},
    {Method::kPost,
     "/v1/responses/{response_id}/cancel",
     Scope::kInfer,
     "Refused: no response is made in the background",
     &ResponsesCodec::cancel,
     {},
     "OpenAiResponse"},
    {Method::kGet,
     "/v1/responses/{response_id}/input_items",
     Scope::kInfer,
     "What a kept response answered",
     &ResponsesCodec::input_items,
     {},
     "ResponseInputItems",
     {},
     kInputListParameters},
};

Api ResponsesCodec::make_api() {
  Api api;
  api.name = "responses";
  api.error_body = [](int, const Status& status, std::string_view) {
    return openai::error_text(status);
  };
  api.error_schema = "OpenAiError";
  api.schemas = responses_schemas();
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
    route.event_schema = entry.event_schema;
    route.parameters = entry.parameters;
  }
  return api;
}

void ResponsesCodec::create(const ExchangePtr& exchange) const {
  take(exchange, read_responses(exchange->request().body->text()));
}

void ResponsesCodec::count_tokens(const ExchangePtr& exchange) const {
  take(exchange, read_counted_response(exchange->request().body->text()));
}

// As the server says it of a path without a route.
void ResponsesCodec::no_such_path(const ExchangePtr& exchange) const {
  exchange->fail(not_found("no such path: " + exchange->request().path).with_reason("unknown_url"));
}

void ResponsesCodec::take(const ExchangePtr& exchange, Result<ResponsesCall> read) const {
  if (!read.ok()) return exchange->fail(read.status());
  if (read->previous.empty()) return start(exchange, *read, {});
  if (options_.book == nullptr) return exchange->fail(no_previous(read->previous));
  const auto call = std::make_shared<ResponsesCall>(std::move(*read));
  options_.book->conversation(
      ResponseOwner::of(exchange->request().principal),
      call->previous,
      [this, exchange, call](Result<Turns> turns) {
        const auto kept = std::make_shared<Result<Turns>>(std::move(turns));
        exchange->post([this, exchange, call, kept] { go_on(exchange, call, std::move(*kept)); });
      }
  );
}

void ResponsesCodec::go_on(const ExchangePtr& exchange, const CallPtr& call, Result<Turns> turns)
    const {
  if (turns.status().code() == Code::kNotFound) return exchange->fail(no_previous(call->previous));
  if (!turns.ok()) return exchange->fail(turns.status());
  std::vector<Item> before;
  if (Status status = read_turns(*turns, before); !status.ok()) return exchange->fail(status);
  start(exchange, *call, std::move(before));
}

void ResponsesCodec::start(
    const ExchangePtr& exchange, ResponsesCall& call, std::vector<Item> items
) const {
  const HttpRequest& http = exchange->request();
  auto reference = ModelReference::parse(call.model);
  if (!reference.ok()) return exchange->fail(reference.status().with_field("model"));
  if (call.counted) {
    if (Status status = add_messages(call, std::move(items)); !status.ok()) {
      return exchange->fail(status);
    }
    return count(exchange, call, std::move(*reference));
  }
  ResponsePlan plan;
  plan.stem = options_.draw();
  plan.id = "resp_" + plan.stem;
  name_items(call.input, plan.stem);
  if (call.store && options_.book != nullptr) plan.keep = keeper(exchange, call, plan.id);
  plan.created = options_.now() / 1000;
  plan.model = call.model;
  plan.previous = call.previous;
  plan.parallel_tool_calls = call.conversation.parallel_tool_calls;
  if (Status status = add_messages(call, std::move(items)); !status.ok()) {
    return exchange->fail(status);
  }
  plan.echo = std::move(call.echo);
  call.generation.prompt = std::move(call.conversation);
  std::shared_ptr<Request> request = request_from(http);
  request->model = std::move(*reference);
  request->niceness = call.niceness;
  request->input = std::move(call.generation);
  Requests requests{std::move(request)};
  if (call.stream) {
    return submit_streamed(
        submit_, exchange, std::move(requests), response_stream(std::move(plan))
    );
  }
  submit_collected(submit_, exchange, std::move(requests), response_collector(std::move(plan)));
}

void ResponsesCodec::count(const ExchangePtr& exchange, ResponsesCall& call, ModelReference model)
    const {
  std::shared_ptr<Request> request = request_from(exchange->request());
  request->model = std::move(model);
  TokenizeInput input;
  input.prompt = std::move(call.conversation);
  request->input = std::move(input);
  submit_unary(submit_, exchange, std::move(request), counted_answer);
}

std::function<bool(std::string, std::string)> ResponsesCodec::keeper(
    const ExchangePtr& exchange, const ResponsesCall& call, const std::string& id
) const {
  KeptResponse response;
  response.id = id;
  response.previous = call.previous;
  response.owner = ResponseOwner::of(exchange->request().principal);
  append_items(response.input, call.input);
  return [this, response = std::move(response)](std::string body, std::string output) mutable {
    response.created_at = options_.now();
    response.expires_at = response.created_at + options_.ttl.count();
    response.body = std::move(body);
    response.output = std::move(output);
    return options_.book->keep(std::move(response));
  };
}

void ResponsesCodec::find_and_reply(
    const ExchangePtr& exchange,
    std::function<Result<std::string>(const HttpRequest&, const KeptResponse&)> write
) const {
  const HttpRequest& http = exchange->request();
  const std::string& id = http.path_values.at(0);
  if (options_.book == nullptr) return exchange->fail(no_such_response(id));
  options_.book->find(
      ResponseOwner::of(http.principal),
      id,
      [exchange, write = std::move(write)](Result<KeptResponse> found) {
        if (!found.ok()) return exchange->fail(found.status());
        Result<std::string> body = write(exchange->request(), *found);
        if (!body.ok()) return exchange->fail(body.status());
        reply_text(*exchange, std::move(*body));
      }
  );
}

void ResponsesCodec::get(const ExchangePtr& exchange) const {
  if (exchange->request().query.find("stream=true") != std::string::npos) {
    return exchange->fail(unsupported_field(
        "stream", "a kept response is given whole: it was streamed when it was made"
    ));
  }
  find_and_reply(exchange, [](const HttpRequest&, const KeptResponse& response) {
    return Result<std::string>(response.body);
  });
}

void ResponsesCodec::cancel(const ExchangePtr& exchange) const {
  find_and_reply(exchange, [](const HttpRequest&, const KeptResponse&) {
    return Result<std::string>(
        invalid_argument("Cannot cancel a synchronous response: none is made in the background.")
    );
  });
}

void ResponsesCodec::input_items(const ExchangePtr& exchange) const {
  const Result<InputListQuery> query = read_input_list_query(exchange->request().query);
  if (!query.ok()) return exchange->fail(query.status());
  find_and_reply(exchange, [query = *query](const HttpRequest&, const KeptResponse& response) {
    return input_list(response.input, query);
  });
}

void ResponsesCodec::remove(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const std::string& id = http.path_values.at(0);
  if (options_.book == nullptr) return exchange->fail(no_such_response(id));
  options_.book->remove(ResponseOwner::of(http.principal), id, [exchange](const Status& status) {
    if (!status.ok()) return exchange->fail(status);
    std::string body = R"({"id":)";
    append_json_string(body, exchange->request().path_values.at(0));
    reply_text(*exchange, body.append(R"(,"object":"response","deleted":true})"));
  });
}

}  // namespace cortex::frontend::responses
