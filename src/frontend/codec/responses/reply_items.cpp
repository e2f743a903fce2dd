// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/reply_items.h"

#include <utility>

#include "base/json_text.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/logprobs.h"
#include "frontend/codec/streamed_call.h"

namespace cortex::frontend::responses {
namespace {

using Kind = Item::Kind;

constexpr std::string_view kCompleted = "completed";
constexpr std::string_view kIncomplete = "incomplete";
constexpr std::string_view kInProgress = "in_progress";

// An event's name for a message; for a thought it is another.
std::string_view text_event(Kind kind, bool done) {
  if (kind == Kind::kReasoning) {
    return done ? "response.reasoning_text.done" : "response.reasoning_text.delta";
  }
  return done ? "response.output_text.done" : "response.output_text.delta";
}

void append_text_member(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  append_json_string(out, text);
}

std::size_t bytes_of_output(const GenerationOutput& output) {
  std::size_t bytes = output.text.size() + output.reasoning.size();
  for (const ToolCallDelta& call : output.tool_calls) {
    bytes += sizeof(call) + call.name.size() + call.arguments.size();
  }
  for (const TokenText& token : output.tokens) {
    bytes += sizeof(token) + token.top.size() * sizeof(TokenText::Alternative);
  }
  return bytes;
}

}  // namespace

void EventWriter::open(std::string& out, std::string_view type) {
  out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type);
  out.append("\",\"sequence_number\":").append(std::to_string(next_++));
}

void EventWriter::close(std::string& out) const { out.append("}\n\n"); }

Status ReplyItems::take(GenerationOutput&& output, std::string& out) {
  bytes_ += bytes_of_output(output);
  if (bytes_ > kCollectedBytesMax) {
    return invalid_argument(
        "the answer has grown above " + std::to_string(kCollectedBytesMax) + " bytes: ask for less"
    );
  }
  if (!output.reasoning.empty()) say(Kind::kReasoning, output.reasoning, {}, out);
  if (!output.text.empty() || !output.tokens.empty()) {
    say(Kind::kMessage, output.text, std::move(output.tokens), out);
  }
  for (ToolCallDelta& delta : output.tool_calls) {
    CORTEX_RETURN_IF_ERROR(call(std::move(delta), out));
  }
  if (output.finish != FinishReason::kNone) reason_ = output.finish;
  return {};
}

void ReplyItems::finish(std::string& out) {
  if (items_.empty() && !cut_off()) say(Kind::kMessage, "", {}, out);
  if (cut_off()) return break_off(out);
  end_item(out);
}

void ReplyItems::break_off(std::string& out) {
  if (open_) items_.back().status = kIncomplete;
  end_item(out);
}

// Calls that are whole are the reason of their end themselves.
bool ReplyItems::cut_off() const {
  if (reason_ == FinishReason::kLength) return true;
  const bool last_is_call = !items_.empty() && items_.back().kind == Kind::kCall;
  return last_is_call && reason_ == FinishReason::kStop;
}

void ReplyItems::begin(Item item, std::string_view prefix, std::string& out) {
  end_item(out);
  item.id = std::string(prefix) + stem_ + std::to_string(items_.size());
  item.role = Role::kAssistant;
  item.status = kInProgress;
  items_.push_back(std::move(item));
  open_ = true;
  if (events_ == nullptr) return;
  events_->open(out, "response.output_item.added");
  out.append(R"(,"output_index":)").append(std::to_string(items_.size() - 1));
  out.append(R"(,"item":)");
  append_item(out, items_.back());
  events_->close(out);
}

// Appends the head of an event about the open item.
void ReplyItems::open_item_event(std::string& out, std::string_view type) const {
  events_->open(out, type);
  append_text_member(out, "item_id", items_.back().id);
  out.append(R"(,"output_index":)").append(std::to_string(items_.size() - 1));
}

void ReplyItems::part_event(std::string& out, std::string_view type) const {
  const Item& item = items_.back();
  open_item_event(out, type);
  out.append(R"(,"content_index":0,"part":)");
  append_part(out, item, item.parts.empty() ? std::string_view() : item.parts.front());
  events_->close(out);
}

void ReplyItems::say(
    Kind kind, std::string_view text, std::vector<TokenText>&& tokens, std::string& out
) {
  if (!open_ || items_.back().kind != kind) {
    Item item;
    item.kind = kind;
    begin(std::move(item), kind == Kind::kReasoning ? "rs_" : "msg_", out);
    if (events_ != nullptr) part_event(out, "response.content_part.added");
    items_.back().parts.emplace_back();
  }
  Item& item = items_.back();
  item.parts.front().append(text);
  if (events_ != nullptr && !(text.empty() && tokens.empty())) {
    open_item_event(out, text_event(kind, false));
    out.append(R"(,"content_index":0)");
    append_text_member(out, "delta", text);
    if (kind == Kind::kMessage) {
      out.append(R"(,"logprobs":)");
      openai::append_token_list(out, tokens);
    }
    events_->close(out);
  }
  for (TokenText& token : tokens) item.tokens.push_back(std::move(token));
}

// A call begins with its first piece; pieces of a call come in order, one call behind the other.
Status ReplyItems::call(ToolCallDelta&& delta, std::string& out) {
  if (delta.index == calls_ && calls_ < openai::kToolCallsMax) {
    Item item;
    item.kind = Kind::kCall;
    item.call_id = std::move(delta.id);
    item.name = std::move(delta.name);
    begin(std::move(item), "fc_", out);
    ++calls_;
  }
  const bool current = open_ && items_.back().kind == Kind::kCall && delta.index + 1 == calls_;
  if (!current) return internal("a servable wrote calls of tools out of order");
  if (delta.arguments.empty()) return {};
  items_.back().arguments.append(delta.arguments);
  if (events_ == nullptr) return {};
  open_item_event(out, "response.function_call_arguments.delta");
  append_text_member(out, "delta", delta.arguments);
  events_->close(out);
  return {};
}

void ReplyItems::end_item(std::string& out) {
  if (!open_) return;
  open_ = false;
  Item& item = items_.back();
  if (item.status == kInProgress) item.status = kCompleted;
  if (events_ == nullptr) return;
  if (item.kind == Kind::kCall) {
    open_item_event(out, "response.function_call_arguments.done");
    append_text_member(out, "name", item.name);
    append_text_member(out, "arguments", item.arguments);
    events_->close(out);
  } else {
    open_item_event(out, text_event(item.kind, true));
    out.append(R"(,"content_index":0)");
    append_text_member(out, "text", item.parts.front());
    if (item.kind == Kind::kMessage) {
      out.append(R"(,"logprobs":)");
      openai::append_token_list(out, item.tokens);
    }
    events_->close(out);
    part_event(out, "response.content_part.done");
  }
  events_->open(out, "response.output_item.done");
  out.append(R"(,"output_index":)").append(std::to_string(items_.size() - 1));
  out.append(R"(,"item":)");
  append_item(out, item);
  events_->close(out);
}

}  // namespace cortex::frontend::responses
