// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/reply_text.h"

#include <utility>
#include <variant>

#include "base/json_text.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/openai_error.h"

namespace cortex::frontend::openai {
namespace {

std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return R"("stop")";
    case FinishReason::kLength:
      return R"("length")";
    case FinishReason::kToolCalls:
      return R"("tool_calls")";
    case FinishReason::kNone:
      break;
  }
  return "null";
}

Status strange_part() { return internal("a servable answered a generation with something else"); }

// The object is left open.
void append_counts(std::string& out, std::uint64_t input, std::uint64_t output) {
  out.append(R"("usage":{"prompt_tokens":)").append(std::to_string(input));
  out.append(R"(,"completion_tokens":)").append(std::to_string(output));
  out.append(R"(,"total_tokens":)").append(std::to_string(input + output));
}

// A call begins with its first piece; pieces of a call come in order.
Status join_calls(std::vector<ToolCallDelta>&& deltas, std::vector<ToolCall>& calls) {
  for (ToolCallDelta& delta : deltas) {
    if (delta.index > calls.size() || delta.index >= kToolCallsMax) return strange_part();
    if (delta.index == calls.size()) calls.emplace_back();
    ToolCall& call = calls[delta.index];
    call.id.append(delta.id);
    call.name.append(delta.name);
    call.arguments.append(delta.arguments);
  }
  return {};
}

}  // namespace

void append_answer_head(std::string& out, const GenerationPlan& plan, std::string_view object) {
  out.append(R"({"id":)");
  append_json_string(out, plan.id);
  out.append(R"(,"object":")").append(object);
  out.append(R"(","created":)").append(std::to_string(plan.created));
  out.append(R"(,"model":)");
  append_json_string(out, plan.model);
  out.append(R"(,"system_fingerprint":)");
  append_json_string(out, plan.fingerprint);
  out.append(R"(,"choices":[)");
}

void append_usage(std::string& out, const Timings& timings) {
  append_counts(out, timings.input_tokens, timings.output_tokens);
  out.append(R"(,"prompt_tokens_details":{"cached_tokens":)");
  out.append(std::to_string(timings.cached_tokens)).append("}}");
}

void append_finish(std::string& out, FinishReason reason, std::string_view stop) {
  out.append(R"("finish_reason":)").append(finish_name(reason));
  if (stop.empty()) return;
  out.append(R"(,"stop_reason":)");
  append_json_string(out, stop);
}

GenerationOutput* output_of(ResponsePart& part, const GenerationPlan& plan) {
  auto* const output = std::get_if<GenerationOutput>(&part);
  return output != nullptr && output->sequence < plan.sequences ? output : nullptr;
}

EventStream::EventStream(GenerationPlan plan, std::string_view object) : plan_(std::move(plan)) {
  head_ = "data: ";
  append_answer_head(head_, plan_, object);
  tail_ = plan_.include_usage ? "],\"usage\":null}\n\n" : "]}\n\n";
}

std::string_view EventStream::content_type() const { return "text/event-stream; charset=utf-8"; }

Status EventStream::write(std::size_t source, ResponsePart&& part, std::string& out) {
  GenerationOutput* const output = output_of(part, plan_);
  if (output == nullptr) return strange_part();
  if (plan_.include_usage && plan_.continuous_usage) {
    tail_ = "],";
    append_counts(tail_, output->input_tokens, output->output_tokens);
    tail_.append("}}\n\n");
  }
  write_choice(source * plan_.sequences + output->sequence, std::move(*output), out);
  return {};
}

void EventStream::end(const Timings& timings, std::string& out) {
  if (plan_.include_usage) {
    out.append(head_).append("],");
    append_usage(out, timings);
    out.append("}\n\n");
  }
  append_event(out, "[DONE]");
}

void EventStream::fail(const Status& status, std::string& out) {
  append_event(out, error_text(status));
}

WholeAnswer::WholeAnswer(GenerationPlan plan, std::string_view object)
    : plan_(std::move(plan)), object_(object), choices_(plan_.sequences * plan_.requests) {}

Status WholeAnswer::take(std::size_t source, ResponsePart&& part) {
  GenerationOutput* const output = output_of(part, plan_);
  if (output == nullptr) return strange_part();
  WholeChoice& choice = choices_[source * plan_.sequences + output->sequence];
  choice.text.append(output->text);
  choice.reasoning.append(output->reasoning);
  for (TokenText& token : output->tokens) choice.tokens.push_back(std::move(token));
  if (output->finish != FinishReason::kNone) {
    choice.finish = output->finish;
    choice.stop = std::move(output->stop);
  }
  return join_calls(std::move(output->tool_calls), choice.tool_calls);
}

Result<HttpReply> WholeAnswer::reply(const Timings& timings) {
  HttpReply reply;
  std::string& out = reply.body;
  append_answer_head(out, plan_, object_);
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].finish == FinishReason::kNone) {
      return internal("a servable finished before all of its sequences did");
    }
    if (i > 0) out.push_back(',');
    write_choice(i, choices_[i], out);
  }
  out.append("],");
  append_usage(out, timings);
  out.push_back('}');
  return reply;
}

}  // namespace cortex::frontend::openai
