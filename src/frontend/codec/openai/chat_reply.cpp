// SPDX-License-Identifier: Apache-2.0
// What choices of a chat look like.
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/openai/logprobs.h"
#include "frontend/codec/openai/reply_text.h"

namespace cortex::frontend::openai {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out.push_back(',');
  out.push_back('"');
  out.append(name).append("\":");
  append_json_string(out, text);
}

void append_call_delta(std::string& out, const ToolCallDelta& call) {
  out.append(R"({"index":)").append(std::to_string(call.index));
  const bool first = !call.name.empty();
  if (first) {
    out.append(R"(,"id":)");
    append_json_string(out, call.id);
    out.append(R"(,"type":"function")");
  }
  out.append(R"(,"function":{)");
  if (first) append_member(out, "name", call.name);
  append_member(out, "arguments", call.arguments);
  out.append("}}");
}

void append_delta(std::string& out, const GenerationOutput& output) {
  out.append(R"("delta":{)");
  if (!output.reasoning.empty()) append_member(out, "reasoning_content", output.reasoning);
  // Tokens without a text of their own come with an empty one.
  const bool tokens_alone = !output.tokens.empty() && output.reasoning.empty();
  const bool content = !output.text.empty() || (tokens_alone && output.tool_calls.empty());
  if (content) append_member(out, "content", output.text);
  if (!output.tool_calls.empty()) {
    out.append(out.back() == '{' ? "" : ",").append(R"("tool_calls":[)");
    for (std::size_t i = 0; i < output.tool_calls.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_call_delta(out, output.tool_calls[i]);
    }
    out.push_back(']');
  }
  out.push_back('}');
}

class ChatStream final : public EventStream {
 public:
  explicit ChatStream(GenerationPlan plan)
      : EventStream(std::move(plan), "chat.completion.chunk"),
        begun_(this->plan().sequences * this->plan().requests) {}

 private:
  void write_choice(std::size_t index, GenerationOutput&& output, std::string& out) override {
    if (!begun_[index]) write_role(index, out);
    begun_[index] = true;
    const bool some = !output.text.empty() || !output.reasoning.empty() ||
                      !output.tool_calls.empty() || !output.tokens.empty();
    if (some) write_delta(index, output, out);
    if (output.finish == FinishReason::kNone) return;
    open_choice(index, out);
    out.append(R"("delta":{},"logprobs":null,)");
    append_finish(out, output.finish, output.stop);
    close_choice(out);
  }

  void open_choice(std::size_t index, std::string& out) const {
    open_event(out);
    out.append(R"({"index":)").append(std::to_string(index)).push_back(',');
  }

  void close_choice(std::string& out) const {
    out.push_back('}');
    close_event(out);
  }

  void write_role(std::size_t index, std::string& out) const {
    open_choice(index, out);
    out.append(R"("delta":{"role":"assistant","content":""},"logprobs":null,)");
    out.append(R"("finish_reason":null)");
    close_choice(out);
  }

  void write_delta(std::size_t index, const GenerationOutput& output, std::string& out) const {
    open_choice(index, out);
    append_delta(out, output);
    out.append(R"(,"logprobs":)");
    if (output.tokens.empty()) {
      out.append("null");
    } else {
      append_chat_logprobs(out, output.tokens);
    }
    out.append(R"(,"finish_reason":null)");
    close_choice(out);
  }

  std::vector<bool> begun_;
};

void append_calls(std::string& out, const std::vector<ToolCall>& calls) {
  out.append(R"(,"tool_calls":[)");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(R"({"id":)");
    append_json_string(out, calls[i].id);
    out.append(R"(,"type":"function","function":{)");
    append_member(out, "name", calls[i].name);
    append_member(out, "arguments", calls[i].arguments);
    out.append("}}");
  }
  out.push_back(']');
}

class ChatAnswer final : public WholeAnswer {
 public:
  explicit ChatAnswer(GenerationPlan plan) : WholeAnswer(std::move(plan), "chat.completion") {}

 private:
  void write_choice(std::size_t index, const WholeChoice& choice, std::string& out) override {
    out.append(R"({"index":)").append(std::to_string(index));
    out.append(R"(,"message":{"role":"assistant","content":)");
    if (choice.text.empty() && !choice.tool_calls.empty()) {
      out.append("null");
    } else {
      append_json_string(out, choice.text);
    }
    out.append(R"(,"refusal":null)");
    if (!choice.reasoning.empty()) append_member(out, "reasoning_content", choice.reasoning);
    if (!choice.tool_calls.empty()) append_calls(out, choice.tool_calls);
    out.append(R"(},"logprobs":)");
    if (plan().logprobs) {
      append_chat_logprobs(out, choice.tokens);
    } else {
      out.append("null");
    }
    out.push_back(',');
    append_finish(out, choice.finish, choice.stop);
    out.push_back('}');
  }
};

}  // namespace

std::unique_ptr<StreamWriter> chat_stream(GenerationPlan plan) {
  return std::make_unique<ChatStream>(std::move(plan));
}

std::unique_ptr<PartCollector> chat_collector(GenerationPlan plan) {
  return std::make_unique<ChatAnswer>(std::move(plan));
}

}  // namespace cortex::frontend::openai
