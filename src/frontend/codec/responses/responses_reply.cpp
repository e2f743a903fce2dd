// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/responses_reply.h"

#include <string_view>
#include <utility>
#include <variant>

#include "base/json_text.h"
#include "frontend/codec/responses/reply_items.h"
#include "frontend/status_map.h"

namespace cortex::frontend::responses {
namespace {

// Where an answer stands.
struct Stand {
  std::string_view status;  // "in_progress", …
  const std::vector<Item>* items = nullptr;
  const Timings* timings = nullptr;  // at the end
  const Status* error = nullptr;
  bool stored = false;
  bool at_bound = false;  // of tokens
};

void append_string_or_null(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  if (text.empty()) {
    out.append("null");
  } else {
    append_json_string(out, text);
  }
}

// What a thought took is not counted apart.
void append_usage(std::string& out, const Timings& timings) {
  out.append(R"({"input_tokens":)").append(std::to_string(timings.input_tokens));
  out.append(R"(,"input_tokens_details":{"cached_tokens":)");
  out.append(std::to_string(timings.cached_tokens));
  out.append(R"(,"cache_write_tokens":0},"output_tokens":)")
      .append(std::to_string(timings.output_tokens));
  out.append(R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)");
  out.append(std::to_string(timings.input_tokens + timings.output_tokens)).push_back('}');
}

// The few codes that OpenAI's clients know.
std::string_view error_code(Code code) {
  if (code == Code::kResourceExhausted) return "rate_limit_exceeded";
  return status_row(code).http < 500 ? "invalid_prompt" : "server_error";
}

void append_error(std::string& out, const Status* error) {
  out.append(R"(,"error":)");
  if (error == nullptr) {
    out.append("null");
    return;
  }
  out.append(R"({"code":)");
  append_json_string(out, error_code(error->code()));
  out.append(R"(,"message":)");
  append_json_string(out, error->text());
  out.push_back('}');
}

void append_echo(std::string& out, const ResponsePlan& plan) {
  const Echo& echo = plan.echo;
  append_string_or_null(out, "instructions", echo.instructions);
  out.append(R"(,"max_output_tokens":)");
  out.append(echo.tokens_max ? std::to_string(*echo.tokens_max) : "null");
  out.append(R"(,"max_tool_calls":)");
  out.append(echo.tool_calls_max ? std::to_string(*echo.tool_calls_max) : "null");
  out.append(R"(,"metadata":)").append(echo.metadata);
  out.append(R"(,"parallel_tool_calls":)").append(plan.parallel_tool_calls ? "true" : "false");
  append_string_or_null(out, "previous_response_id", plan.previous);
  out.append(R"(,"reasoning":{"effort":)");
  if (echo.effort.empty()) {
    out.append("null");
  } else {
    append_json_string(out, echo.effort);
  }
  out.append(R"(,"summary":null},"service_tier":"default","temperature":)");
  append_json_number(out, echo.temperature);
  out.append(R"(,"text":{"format":)").append(echo.format);
  out.append(R"(},"tool_choice":)").append(echo.tool_choice);
  out.append(R"(,"tools":)").append(echo.tools);
  out.append(R"(,"top_p":)");
  append_json_number(out, echo.top_p);
  out.append(R"(,"truncation":"disabled")");
}

void append_response(std::string& out, const ResponsePlan& plan, const Stand& stand) {
  out.append(R"({"id":)");
  append_json_string(out, plan.id);
  out.append(R"(,"object":"response","created_at":)").append(std::to_string(plan.created));
  append_string_or_null(out, "status", stand.status);
  out.append(R"(,"background":false)");
  append_error(out, stand.error);
  out.append(R"(,"incomplete_details":)");
  out.append(stand.at_bound ? R"({"reason":"max_output_tokens"})" : "null");
  append_string_or_null(out, "model", plan.model);
  append_echo(out, plan);
  out.append(R"(,"store":)").append(stand.stored ? "true" : "false");
  out.append(R"(,"user":null,"usage":)");
  if (stand.timings != nullptr) {
    append_usage(out, *stand.timings);
  } else {
    out.append("null");
  }
  out.append(R"(,"output":)");
  append_items(out, stand.items == nullptr ? std::vector<Item>() : *stand.items);
  out.push_back('}');
}

Status strange_answer() { return internal("a servable answered a response with something else"); }

GenerationOutput* response_output(ResponsePart& part) {
  auto* const output = std::get_if<GenerationOutput>(&part);
  return output != nullptr && output->sequence == 0 ? output : nullptr;
}

// The whole answer, kept where it shall be.
std::string finished_response(
    const ResponsePlan& plan, const ReplyItems& items, const Timings& timings
) {
  Stand stand{"completed", &items.items(), &timings, nullptr, plan.keep != nullptr};
  if (items.cut_off()) stand.status = "incomplete";
  stand.at_bound = items.reason() == FinishReason::kLength;
  std::string body;
  append_response(body, plan, stand);
  if (!plan.keep) return body;
  std::string output;
  append_items(output, items.items());
  if (plan.keep(body, std::move(output))) return body;
  stand.stored = false;
  body.clear();
  append_response(body, plan, stand);
  return body;
}

class ResponseStreamWriter final : public StreamWriter {
 public:
  explicit ResponseStreamWriter(ResponsePlan plan)
      : plan_(std::move(plan)), items_(plan_.stem, &events_) {}

  [[nodiscard]] std::string_view content_type() const override {
    return "text/event-stream; charset=utf-8";
  }
  [[nodiscard]] std::string_view keep_alive() const override { return kEventKeepAlive; }

  [[nodiscard]] Status write(std::size_t, ResponsePart&& part, std::string& out) override {
    GenerationOutput* const output = response_output(part);
    if (output == nullptr) return strange_answer();
    begin(out);
    return items_.take(std::move(*output), out);
  }

  void end(const Timings& timings, std::string& out) override {
    if (items_.reason() == FinishReason::kNone) {
      return fail(internal("a servable finished before its sequence did"), out);
    }
    begin(out);
    items_.finish(out);
    events_.open(out, items_.cut_off() ? "response.incomplete" : "response.completed");
    out.append(R"(,"response":)").append(finished_response(plan_, items_, timings));
    events_.close(out);
  }

  void fail(const Status& status, std::string& out) override {
    begin(out);
    items_.break_off(out);
    Stand stand{"failed", &items_.items(), nullptr, &status, false};
    write_stand("response.failed", stand, out);
  }

 private:
  void begin(std::string& out) {
    if (std::exchange(begun_, true)) return;
    Stand stand{"in_progress", nullptr, nullptr, nullptr, plan_.keep != nullptr};
    write_stand("response.created", stand, out);
    write_stand("response.in_progress", stand, out);
  }

  void write_stand(std::string_view type, const Stand& stand, std::string& out) {
    events_.open(out, type);
    out.append(R"(,"response":)");
    append_response(out, plan_, stand);
    events_.close(out);
  }

  const ResponsePlan plan_;
  EventWriter events_;
  ReplyItems items_;
  bool begun_ = false;
};

class ResponseCollector final : public PartCollector {
 public:
  explicit ResponseCollector(ResponsePlan plan)
      : plan_(std::move(plan)), items_(plan_.stem, nullptr) {}

  [[nodiscard]] Status take(std::size_t, ResponsePart&& part) override {
    GenerationOutput* const output = response_output(part);
    std::string none;
    return output == nullptr ? strange_answer() : items_.take(std::move(*output), none);
  }

  [[nodiscard]] Result<HttpReply> reply(const Timings& timings) override {
    if (items_.reason() == FinishReason::kNone) {
      return internal("a servable finished before its sequence did");
    }
    std::string none;
    items_.finish(none);
    HttpReply reply;
    reply.body = finished_response(plan_, items_, timings);
    return reply;
  }

 private:
  const ResponsePlan plan_;
  ReplyItems items_;
};

}  // namespace

std::unique_ptr<StreamWriter> response_stream(ResponsePlan plan) {
  return std::make_unique<ResponseStreamWriter>(std::move(plan));
}

std::unique_ptr<PartCollector> response_collector(ResponsePlan plan) {
  return std::make_unique<ResponseCollector>(std::move(plan));
}

}  // namespace cortex::frontend::responses
