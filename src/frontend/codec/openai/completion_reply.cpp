// SPDX-License-Identifier: Apache-2.0
// What choices of a completion look like.
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/openai/logprobs.h"
#include "frontend/codec/openai/reply_text.h"

namespace cortex::frontend::openai {
namespace {

// One choice but for its log probabilities; streamed and whole ones look the same.
void open_text(std::string& out, std::size_t index, std::string_view text) {
  out.append(R"({"text":)");
  append_json_string(out, text);
  out.append(R"(,"index":)").append(std::to_string(index)).append(R"(,"logprobs":)");
}

void close_text(std::string& out, FinishReason finish, std::string_view stop) {
  out.push_back(',');
  append_finish(out, finish, stop);
  out.push_back('}');
}

class CompletionStream final : public EventStream {
 public:
  explicit CompletionStream(GenerationPlan plan)
      : EventStream(std::move(plan), "text_completion"),
        offsets_(this->plan().sequences * this->plan().requests) {}

 private:
  void write_choice(std::size_t index, GenerationOutput&& output, std::string& out) override {
    open_event(out);
    // Completions know no reasoning: what the model writes is the text.
    open_text(out, index, output.reasoning + output.text);
    if (output.tokens.empty()) {
      out.append("null");
    } else {
      append_completion_logprobs(out, output.tokens, offsets_[index]);
    }
    close_text(out, output.finish, output.stop);
    close_event(out);
  }

  std::vector<std::size_t> offsets_;  // characters of each choice that were written
};

class CompletionAnswer final : public WholeAnswer {
 public:
  explicit CompletionAnswer(GenerationPlan plan)
      : WholeAnswer(std::move(plan), "text_completion") {}

 private:
  void write_choice(std::size_t index, const WholeChoice& choice, std::string& out) override {
    open_text(out, index, choice.reasoning + choice.text);
    if (plan().logprobs) {
      std::size_t offset = 0;
      append_completion_logprobs(out, choice.tokens, offset);
    } else {
      out.append("null");
    }
    close_text(out, choice.finish, choice.stop);
  }
};

}  // namespace

std::unique_ptr<StreamWriter> completion_stream(GenerationPlan plan) {
  return std::make_unique<CompletionStream>(std::move(plan));
}

std::unique_ptr<PartCollector> completion_collector(GenerationPlan plan) {
  return std::make_unique<CompletionAnswer>(std::move(plan));
}

}  // namespace cortex::frontend::openai
