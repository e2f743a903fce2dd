// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/anthropic/messages_reply.h"

#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/detail/hot_json.h"
#include "frontend/status_map.h"
#include "request/buffer.h"

namespace cortex::frontend::anthropic {
namespace {

std::string_view error_type(Code code, int http_status) {
  constexpr int kContentTooLarge = 413;
  if (http_status == kContentTooLarge) return "request_too_large";
  switch (code) {
    case Code::kUnauthenticated:
      return "authentication_error";
    case Code::kPermissionDenied:
      return "permission_error";
    case Code::kNotFound:
      return "not_found_error";
    case Code::kResourceExhausted:
      return "rate_limit_error";
    case Code::kUnavailable:
      return "overloaded_error";
    case Code::kDeadlineExceeded:
      return "timeout_error";
    default:
      return status_row(code).http < 500 ? "invalid_request_error" : "api_error";
  }
}

std::string_view stop_reason(FinishReason reason, std::string_view stop) {
  if (reason == FinishReason::kLength) return "max_tokens";
  if (reason == FinishReason::kToolCalls) return "tool_use";
  return stop.empty() ? "end_turn" : "stop_sequence";
}

void append_stop(std::string& out, FinishReason reason, std::string_view stop) {
  out.append(R"("stop_reason":")").append(stop_reason(reason, stop));
  out.append(R"(","stop_sequence":)");
  if (stop.empty()) {
    out.append("null");
  } else {
    append_json_string(out, stop);
  }
}

// Tokens that came from the cache are not among `input_tokens`.
void append_usage(std::string& out, const Timings& timings) {
  const std::uint64_t read = timings.input_tokens - timings.cached_tokens;
  out.append(R"("usage":{"input_tokens":)").append(std::to_string(read));
  out.append(R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)");
  out.append(std::to_string(timings.cached_tokens));
  out.append(R"(,"output_tokens":)").append(std::to_string(timings.output_tokens)).append("}");
}

void append_message_head(std::string& out, const MessagePlan& plan) {
  out.append(R"({"id":)");
  append_json_string(out, plan.id);
  out.append(R"(,"type":"message","role":"assistant","model":)");
  append_json_string(out, plan.model);
  out.append(R"(,"content":[)");
}

GenerationOutput* output_of(ResponsePart& part) {
  auto* const output = std::get_if<GenerationOutput>(&part);
  return output != nullptr && output->sequence == 0 ? output : nullptr;
}

Status strange_part() { return internal("a servable answered a message with something else"); }

// Opens an event; close_event() ends it.
void open_event(std::string& out, std::string_view type) {
  out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).push_back('"');
}

void close_event(std::string& out) { out.append("}\n\n"); }

enum class BlockKind { kNone, kThinking, kText, kCall };

class MessageStream final : public StreamWriter {
 public:
  explicit MessageStream(MessagePlan plan) : plan_(std::move(plan)) {}

  [[nodiscard]] std::string_view content_type() const override {
    return "text/event-stream; charset=utf-8";
  }
  [[nodiscard]] std::string_view keep_alive() const override {
    return "event: ping\ndata: {\"type\":\"ping\"}\n\n";
  }

  [[nodiscard]] Status write(std::size_t, ResponsePart&& part, std::string& out) override {
    GenerationOutput* const output = output_of(part);
    if (output == nullptr) return strange_part();
    begin(out);
    if (!output->reasoning.empty()) write_text(BlockKind::kThinking, output->reasoning, out);
    if (!output->text.empty()) write_text(BlockKind::kText, output->text, out);
    for (const ToolCallDelta& call : output->tool_calls) write_call(call, out);
    if (output->finish == FinishReason::kNone) return {};
    finish_ = output->finish;
    stop_ = std::move(output->stop);
    return {};
  }

  void end(const Timings& timings, std::string& out) override {
    begin(out);
    close_block(out);
    open_event(out, "message_delta");
    out.append(R"(,"delta":{)");
    append_stop(out, finish_, stop_);
    out.append("},");
    append_usage(out, timings);
    close_event(out);
    open_event(out, "message_stop");
    close_event(out);
  }

  void fail(const Status& status, std::string& out) override {
    out.append("event: error\ndata: ").append(error_text(status)).append("\n\n");
  }

 private:
  // What came from the cache is known at the end. Clients put the counts of message_delta in the
  // place of these, or add them up; what is said of the prompt here would count twice, or not as
  // what it is.
  void begin(std::string& out) {
    if (std::exchange(begun_, true)) return;
    open_event(out, "message_start");
    out.append(R"(,"message":)");
    append_message_head(out, plan_);
    out.append(R"(],"stop_reason":null,"stop_sequence":null,)");
    append_usage(out, {});
    out.push_back('}');
    close_event(out);
  }

  // `what` is the block's own fields.
  void open_block(BlockKind kind, std::string_view what, std::string& out) {
    close_block(out);
    kind_ = kind;
    open_event(out, "content_block_start");
    out.append(R"(,"index":)").append(std::to_string(index_));
    out.append(R"(,"content_block":)").append(what);
    close_event(out);
  }

  void close_block(std::string& out) {
    if (std::exchange(kind_, BlockKind::kNone) == BlockKind::kNone) return;
    open_event(out, "content_block_stop");
    out.append(R"(,"index":)").append(std::to_string(index_++));
    close_event(out);
  }

  // `head` ends where the text stands.
  void write_delta(std::string_view head, std::string_view text, std::string& out) const {
    open_event(out, "content_block_delta");
    out.append(R"(,"index":)").append(std::to_string(index_));
    out.append(R"(,"delta":)").append(head);
    append_json_string(out, text);
    out.push_back('}');
    close_event(out);
  }

  void write_text(BlockKind kind, std::string_view text, std::string& out) {
    const bool thinking = kind == BlockKind::kThinking;
    if (kind_ != kind) {
      open_block(
          kind,
          thinking ? R"({"type":"thinking","thinking":"","signature":""})"
                   : R"({"type":"text","text":""})",
          out
      );
    }
    write_delta(
        thinking ? R"({"type":"thinking_delta","thinking":)" : R"({"type":"text_delta","text":)",
        text,
        out
    );
  }

  void write_call(const ToolCallDelta& call, std::string& out) {
    if (!call.name.empty()) {
      std::string block = R"({"type":"tool_use","id":)";
      append_json_string(block, call.id);
      block.append(R"(,"name":)");
      append_json_string(block, call.name);
      block.append(R"(,"input":{}})");
      open_block(BlockKind::kCall, block, out);
    }
    if (call.arguments.empty() || kind_ != BlockKind::kCall) return;
    write_delta(R"({"type":"input_json_delta","partial_json":)", call.arguments, out);
  }

  const MessagePlan plan_;
  bool begun_ = false;
  BlockKind kind_ = BlockKind::kNone;
  std::size_t index_ = 0;
  FinishReason finish_ = FinishReason::kStop;
  std::string stop_;
};

bool is_json_object(const std::string& text) {
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

// Arguments are JSON if the model kept to it; else they are given as the text they are. Of a call
// that was cut before its end nothing is given: an input that nobody wrote could be acted on. The
// call itself stays: a last block that is one is how clients see that it was cut.
void append_input(std::string& out, const std::string& arguments, bool cut) {
  if (is_json_object(arguments)) {
    out.append(arguments);
  } else if (arguments.empty() || cut) {
    out.append("{}");
  } else {
    out.append(R"({"arguments":)");
    append_json_string(out, arguments);
    out.push_back('}');
  }
}

class WholeMessage final : public PartCollector {
 public:
  explicit WholeMessage(MessagePlan plan) : plan_(std::move(plan)) {}

  [[nodiscard]] Status take(std::size_t, ResponsePart&& part) override {
    GenerationOutput* const output = output_of(part);
    if (output == nullptr) return strange_part();
    text_.append(output->text);
    reasoning_.append(output->reasoning);
    if (output->finish != FinishReason::kNone) {
      finish_ = output->finish;
      stop_ = std::move(output->stop);
    }
    for (ToolCallDelta& delta : output->tool_calls) {
      if (delta.index > calls_.size()) return strange_part();
      if (delta.index == calls_.size()) calls_.emplace_back();
      ToolCall& call = calls_[delta.index];
      call.id.append(delta.id);
      call.name.append(delta.name);
      call.arguments.append(delta.arguments);
    }
    return {};
  }

  [[nodiscard]] Result<HttpReply> reply(const Timings& timings) override {
    if (finish_ == FinishReason::kNone) {
      return internal("a servable finished before its sequence did");
    }
    HttpReply reply;
    std::string& out = reply.body;
    append_message_head(out, plan_);
    if (!reasoning_.empty()) {
      out.append(R"({"type":"thinking","thinking":)");
      append_json_string(out, reasoning_);
      out.append(R"(,"signature":""})");
    }
    if (!text_.empty() || (calls_.empty() && reasoning_.empty())) {
      append_comma(out);
      out.append(R"({"type":"text","text":)");
      append_json_string(out, text_);
      out.push_back('}');
    }
    for (const ToolCall& call : calls_) append_call(out, call, is_cut(call));
    out.append("],");
    append_stop(out, finish_, stop_);
    out.push_back(',');
    append_usage(out, timings);
    out.push_back('}');
    return reply;
  }

 private:
  static void append_comma(std::string& out) {
    if (out.back() != '[') out.push_back(',');
  }

  // Where the answer ended otherwise than with its calls, the last one may have been on its way.
  [[nodiscard]] bool is_cut(const ToolCall& call) const {
    return &call == &calls_.back() && (finish_ != FinishReason::kToolCalls || !stop_.empty());
  }

  static void append_call(std::string& out, const ToolCall& call, bool cut) {
    append_comma(out);
    out.append(R"({"type":"tool_use","id":)");
    append_json_string(out, call.id);
    out.append(R"(,"name":)");
    append_json_string(out, call.name);
    out.append(R"(,"input":)");
    append_input(out, call.arguments, cut);
    out.push_back('}');
  }

  const MessagePlan plan_;
  std::string text_;
  std::string reasoning_;
  std::vector<ToolCall> calls_;
  FinishReason finish_ = FinishReason::kNone;
  std::string stop_;
};

}  // namespace

std::unique_ptr<StreamWriter> message_stream(MessagePlan plan) {
  return std::make_unique<MessageStream>(std::move(plan));
}

std::unique_ptr<PartCollector> message_collector(MessagePlan plan) {
  return std::make_unique<WholeMessage>(std::move(plan));
}

std::string error_text(const Status& status, int http_status) {
  std::string out = R"({"type":"error","error":{"type":")";
  out.append(error_type(status.code(), http_status)).append(R"(","message":)");
  append_json_string(out, status.text());
  return out.append("}}");
}

}  // namespace cortex::frontend::anthropic
