// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_reply.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/detail/hot_json.h"
#include "frontend/codec/openai/logprobs.h"
#include "request/buffer.h"

namespace cortex::frontend::ollama {
namespace {

// Of an answer, or of a piece of it.
struct Reply {
  std::string text;
  std::string thinking;
  std::vector<ToolCall> calls;
  std::vector<TokenText> tokens;  // where log probabilities were asked for
};

Status strange_part() { return internal("a servable answered a chat with something else"); }

GenerationOutput* output_of(ResponsePart& part) {
  auto* const output = std::get_if<GenerationOutput>(&part);
  return output != nullptr && output->sequence == 0 ? output : nullptr;
}

Status join_calls(std::vector<ToolCallDelta>&& deltas, std::vector<ToolCall>& calls) {
  for (ToolCallDelta& delta : deltas) {
    if (delta.index > calls.size()) return strange_part();
    if (delta.index == calls.size()) calls.emplace_back();
    ToolCall& call = calls[delta.index];
    call.id.append(delta.id);
    call.name.append(delta.name);
    call.arguments.append(delta.arguments);
  }
  return {};
}

bool is_object(const std::string& text) {
  std::string padded = text;
  padded.append(Buffer::kPadding, '\0');
  HotJson json(std::string_view(padded).substr(0, text.size()), HotJson::Parser::kOwn);
  simdjson::ondemand::object object;
  if (!json.object(object).ok()) return false;
  const Status read = for_each_field(object, [](std::string_view, simdjson::ondemand::value value) {
    return skip_value(value, 2);
  });
  return read.ok() && json.at_end().ok();
}

// Arguments are JSON if the model kept to it; else they are given as the text they are. Line feeds
// between their fields would end the line.
void append_arguments(std::string& out, std::string arguments) {
  if (arguments.empty()) arguments = "{}";
  if (!is_object(arguments)) {
    out.append(R"({"arguments":)");
    append_json_string(out, arguments);
    out.push_back('}');
    return;
  }
  std::replace(arguments.begin(), arguments.end(), '\n', ' ');
  std::replace(arguments.begin(), arguments.end(), '\r', ' ');
  out.append(arguments);
}

void append_calls(std::string& out, const std::vector<ToolCall>& calls) {
  out.append(R"(,"tool_calls":[)");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(R"({"id":)");
    append_json_string(out, calls[i].id);
    out.append(R"(,"function":{"index":)").append(std::to_string(i)).append(R"(,"name":)");
    append_json_string(out, calls[i].name);
    out.append(R"(,"arguments":)");
    append_arguments(out, calls[i].arguments);
    out.append("}}");
  }
  out.push_back(']');
}

// Where the answer ended otherwise than with its calls, the last one may have been on its way.
// Clients run what is there, whatever the reason of the end is: it is left out.
void drop_cut_call(std::vector<ToolCall>& calls, FinishReason finish, std::string_view stop) {
  const bool whole = finish == FinishReason::kToolCalls && stop.empty();
  if (whole || calls.empty() || is_object(calls.back().arguments)) return;
  calls.pop_back();
}

// Up to where `done` stands.
void append_reply(std::string& out, const OllamaPlan& plan, const Reply& reply) {
  out.append(R"({"model":)");
  append_json_string(out, plan.model);
  out.append(R"(,"created_at":")").append(time_text(plan.now()));
  out.append(plan.chat ? R"(","message":{"role":"assistant","content":)" : R"(","response":)");
  append_json_string(out, reply.text);
  if (!reply.thinking.empty()) {
    out.append(R"(,"thinking":)");
    append_json_string(out, reply.thinking);
  }
  if (!reply.calls.empty()) append_calls(out, reply.calls);
  if (plan.chat) out.push_back('}');
  if (reply.tokens.empty()) return;
  out.append(R"(,"logprobs":)");
  openai::append_token_list(out, reply.tokens);
}

std::string nanoseconds(Duration duration) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  return std::to_string(std::max<std::int64_t>(0, count));
}

void append_end(
    std::string& out, const OllamaPlan& plan, FinishReason finish, const Timings& timings
) {
  const Duration total = plan.clock->now() - plan.arrival;
  out.append(R"(,"done":true,"done_reason":")");
  out.append(finish == FinishReason::kLength ? "length" : "stop");
  out.append(R"(","total_duration":)").append(nanoseconds(total));
  out.append(R"(,"load_duration":0,"prompt_eval_count":)");
  out.append(std::to_string(timings.input_tokens));
  out.append(R"(,"prompt_eval_duration":)").append(nanoseconds(timings.first_token));
  out.append(R"(,"eval_count":)").append(std::to_string(timings.output_tokens));
  out.append(R"(,"eval_duration":)").append(nanoseconds(total - timings.first_token));
  out.push_back('}');
}

class AnswerLines final : public StreamWriter {
 public:
  explicit AnswerLines(OllamaPlan plan) : plan_(std::move(plan)) {}

  [[nodiscard]] std::string_view content_type() const override { return "application/x-ndjson"; }
  // Clients take every line for an answer.
  [[nodiscard]] std::string_view keep_alive() const override { return {}; }

  [[nodiscard]] Status write(std::size_t, ResponsePart&& part, std::string& out) override {
    GenerationOutput* const output = output_of(part);
    if (output == nullptr) return strange_part();
    CORTEX_RETURN_IF_ERROR(join_calls(std::move(output->tool_calls), calls_));
    if (output->finish != FinishReason::kNone) {
      finish_ = output->finish;
      drop_cut_call(calls_, finish_, output->stop);
    }
    // Tokens without a text of their own (of a call, of marks) come with an empty one.
    if (output->text.empty() && output->reasoning.empty() && output->tokens.empty()) return {};
    write_line(
        {std::move(output->text), std::move(output->reasoning), {}, std::move(output->tokens)}, out
    );
    return {};
  }

  void end(const Timings& timings, std::string& out) override {
    if (!calls_.empty()) write_line({{}, {}, std::move(calls_), {}}, out);
    append_reply(out, plan_, {});
    append_end(out, plan_, finish_, timings);
    out.push_back('\n');
  }

  void fail(const Status& status, std::string& out) override {
    out.append(error_text(status)).push_back('\n');
  }

 private:
  void write_line(const Reply& reply, std::string& out) const {
    append_reply(out, plan_, reply);
    out.append(",\"done\":false}\n");
  }

  const OllamaPlan plan_;
  std::vector<ToolCall> calls_;
  FinishReason finish_ = FinishReason::kStop;
};

class AnswerCollector final : public PartCollector {
 public:
  explicit AnswerCollector(OllamaPlan plan) : plan_(std::move(plan)) {}

  [[nodiscard]] Status take(std::size_t, ResponsePart&& part) override {
    GenerationOutput* const output = output_of(part);
    if (output == nullptr) return strange_part();
    reply_.text.append(output->text);
    reply_.thinking.append(output->reasoning);
    for (TokenText& token : output->tokens) reply_.tokens.push_back(std::move(token));
    CORTEX_RETURN_IF_ERROR(join_calls(std::move(output->tool_calls), reply_.calls));
    if (output->finish != FinishReason::kNone) {
      finish_ = output->finish;
      drop_cut_call(reply_.calls, finish_, output->stop);
    }
    return {};
  }

  [[nodiscard]] Result<HttpReply> reply(const Timings& timings) override {
    if (finish_ == FinishReason::kNone) {
      return internal("a servable finished before its sequence did");
    }
    HttpReply reply;
    append_reply(reply.body, plan_, reply_);
    append_end(reply.body, plan_, finish_, timings);
    return reply;
  }

 private:
  const OllamaPlan plan_;
  Reply reply_;
  FinishReason finish_ = FinishReason::kNone;
};

}  // namespace

std::unique_ptr<StreamWriter> answer_lines(OllamaPlan plan) {
  return std::make_unique<AnswerLines>(std::move(plan));
}

std::unique_ptr<PartCollector> answer_collector(OllamaPlan plan) {
  return std::make_unique<AnswerCollector>(std::move(plan));
}

std::string loaded_text(const OllamaPlan& plan) {
  std::string out;
  append_reply(out, plan, {});
  return out.append(R"(,"done":true,"done_reason":"load"})");
}

std::string error_text(const Status& status) {
  std::string out = R"({"error":)";
  append_json_string(out, status.text());
  return out.append("}");
}

std::string time_text(std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(unix_ms % 1000));
  return std::string(text.data(), size) + fraction.data();
}

}  // namespace cortex::frontend::ollama
