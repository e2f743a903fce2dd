// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/openai/generation_reply.h"
#include "frontend/codec/streamed_call.h"

namespace cortex::frontend::openai {

// Appends `{"id":…,"object":…,"created":…,"model":…,"system_fingerprint":…,"choices":[`.
void append_answer_head(std::string& out, const GenerationPlan& plan, std::string_view object);

// Appends `"usage":{…}` over all choices.
void append_usage(std::string& out, const Timings& timings);

// Appends `"finish_reason":…` and, where a stop string was met, vLLM's `,"stop_reason":…`.
void append_finish(std::string& out, FinishReason reason, std::string_view stop);

// The generation in a part, or null where it is none, or of a sequence that was not asked for.
[[nodiscard]] GenerationOutput* output_of(ResponsePart& part, const GenerationPlan& plan);

// A stream of events that all begin alike. Its writers differ in what a choice looks like.
class EventStream : public StreamWriter {
 public:
  EventStream(GenerationPlan plan, std::string_view object);

  [[nodiscard]] std::string_view content_type() const final;
  [[nodiscard]] Status write(std::size_t source, ResponsePart&& part, std::string& out) final;
  void end(const Timings& timings, std::string& out) final;
  void fail(const Status& status, std::string& out) final;
  [[nodiscard]] std::string_view keep_alive() const final { return kEventKeepAlive; }

 protected:
  // Appends events with what came of one choice; `index` counts over all prompts.
  virtual void write_choice(std::size_t index, GenerationOutput&& output, std::string& out) = 0;

  // Around the one choice of an event, which counts the tokens of the choice where every one does.
  void open_event(std::string& out) const { out.append(head_); }
  void close_event(std::string& out) const { out.append(tail_); }
  [[nodiscard]] const GenerationPlan& plan() const { return plan_; }

 private:
  const GenerationPlan plan_;
  std::string head_;
  std::string tail_;  // of an event with a choice
};

// One choice of an answer that is sent whole.
struct WholeChoice {
  std::string text;
  std::string reasoning;
  std::vector<ToolCall> tool_calls;
  std::vector<TokenText> tokens;
  FinishReason finish = FinishReason::kNone;
  std::string stop;
};

// Joins parts into choices. Its writers differ in what a choice looks like.
class WholeAnswer : public PartCollector {
 public:
  WholeAnswer(GenerationPlan plan, std::string_view object);

  [[nodiscard]] Status take(std::size_t source, ResponsePart&& part) final;
  [[nodiscard]] Result<HttpReply> reply(const Timings& timings) final;

 protected:
  virtual void write_choice(std::size_t index, const WholeChoice& choice, std::string& out) = 0;
  [[nodiscard]] const GenerationPlan& plan() const { return plan_; }

 private:
  const GenerationPlan plan_;
  const std::string_view object_;
  std::vector<WholeChoice> choices_;
};

}  // namespace cortex::frontend::openai
