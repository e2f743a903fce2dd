// SPDX-License-Identifier: Apache-2.0
// The input is the body of every call that generates: OpenAI's chats and completions, Anthropic's
// messages, Ollama's chats and generations, OpenAI's responses; of those that ask for tokens, and
// of the call that names a prefix.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"
#include "frontend/codec/anthropic/messages_request.h"
#include "frontend/codec/ollama/ollama_request.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/prefixes/prefix_request.h"
#include "frontend/codec/responses/responses_request.h"
#include "frontend/codec/tokens/tokens_request.h"
#include "request/buffer.h"

namespace anthropic = cortex::frontend::anthropic;
namespace ollama = cortex::frontend::ollama;
namespace openai = cortex::frontend::openai;
namespace responses = cortex::frontend::responses;
namespace tokens = cortex::frontend::tokens;

namespace {

void check_settings(const cortex::GenerationInput& input) {
  const cortex::SamplingSettings& sampling = input.sampling;
  CHECK(sampling.temperature >= 0 && sampling.temperature <= 2, "in range once read");
  CHECK(sampling.top_p > 0 && sampling.top_p <= 1, "in range once read");
  CHECK(sampling.top_k >= 0 && sampling.repeat_penalty > 0, "in range once read");
  CHECK(input.sequences >= 1 && input.sequences <= openai::kChoicesMax, "bounded");
  CHECK(input.best_of == 0 || input.best_of >= input.sequences, "the best of at least as many");
  CHECK(input.stop.size() <= cortex::frontend::kStopsMax, "bounded");
  CHECK(input.top_logprobs.value_or(0) <= cortex::kTopLogprobsMax, "bounded");
  for (const auto& stop : input.stop) {
    CHECK(!stop.empty() && stop.size() <= cortex::frontend::kStopBytesMax, "bounded");
  }
}

void check_conversation(const cortex::Conversation& conversation) {
  const auto& messages = conversation.messages;
  CHECK(!messages.empty() && messages.size() <= cortex::frontend::kMessagesMax, "bounded");
  CHECK(conversation.tools.size() <= cortex::frontend::kToolsMax, "bounded");
  const bool named = conversation.tool_choice == cortex::ToolChoice::kNamed;
  CHECK(!named || !conversation.tool_name.empty(), "a named tool has a name");
  for (const auto& tool : conversation.tools) CHECK(!tool.name.empty(), "a tool has a name");
}

template <typename Call>
bool read(const cortex::Result<Call>& call) {
  if (call.ok()) {
    CHECK(!call->model.empty(), "a model is named");
    return true;
  }
  CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
  CHECK(!call.status().text().empty(), "and said");
  return false;
}

void check_openai(std::string_view body) {
  const auto chat = openai::read_chat(body);
  if (read(chat)) {
    check_settings(chat->inputs.at(0));
    check_conversation(std::get<cortex::Conversation>(chat->inputs.at(0).prompt));
  }
  const auto completion = openai::read_completion(body);
  if (!read(completion)) return;
  const auto& inputs = completion->inputs;
  CHECK(!inputs.empty() && inputs.size() <= openai::kPromptsMax, "bounded");
  for (const auto& input : inputs) check_settings(input);
}

void check_others(std::string_view body) {
  const auto message = anthropic::read_messages(body);
  if (read(message)) {
    check_settings(message->input);
    CHECK(message->input.tokens_max > 0, "Anthropic's calls say how much they want");
    CHECK(!std::get<cortex::Conversation>(message->input.prompt).messages.empty(), "as it says");
  }
  const auto chat = ollama::read_chat(body);
  if (read(chat)) check_settings(chat->input);
  const auto generation = ollama::read_generate(body);
  if (read(generation)) check_settings(generation->input);
}

// What is kept of a response reads back as it was.
void check_items(const std::vector<responses::Item>& items) {
  CHECK(!items.empty() && items.size() <= responses::kItemsMax, "bounded");
  std::string kept;
  responses::append_items(kept, items);
  std::vector<responses::Item> again;
  CHECK(responses::read_kept_items(kept, again).ok(), "our own list can be read");
  std::string twice;
  responses::append_items(twice, again);
  CHECK(kept == twice, "and says the same");
  std::vector<cortex::Message> messages;
  responses::append_messages(items, messages);
  CHECK(messages.size() <= items.size(), "items of a turn are one message");
}

void check_responses(std::string_view body) {
  const auto call = responses::read_responses(body);
  if (!read(call)) return;
  check_settings(call->generation);
  check_items(call->input);
  for (const std::string_view text :
       {call->echo.tools, call->echo.tool_choice, call->echo.format, call->echo.metadata}) {
    CHECK(text.find('\n') == std::string_view::npos, "events are lines");
  }
}

void check_tokens(std::string_view body) {
  const auto tokenize = tokens::read_tokenize(body);
  const auto detokenize = tokens::read_detokenize(body);
  for (const cortex::Status& status : {tokenize.status(), detokenize.status()}) {
    CHECK(
        status.ok() || status.code() == cortex::Code::kInvalidArgument,
        "the client's fault is named so"
    );
  }
}

void check_prefix(std::string_view body) {
  const auto prefix = cortex::frontend::prefixes::read_prefix(body);
  if (!prefix.ok()) {
    CHECK(prefix.status().code() == cortex::Code::kInvalidArgument, "the client's fault");
    CHECK(!prefix.status().text().empty(), "and said");
    return;
  }
  CHECK(!prefix->name.empty() && prefix->name.size() <= 64, "bounded");
  CHECK(prefix->name.find('@') == std::string::npos, "no other tenant's");
  const auto* conversation = std::get_if<cortex::Conversation>(&prefix->prompt);
  if (conversation != nullptr) return check_conversation(*conversation);
  CHECK(!std::get<cortex::Prompt>(prefix->prompt).text.empty(), "something begins with it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = cortex::Buffer::make(size);
  if (size > 0) std::memcpy(body->data(), data, size);
  check_openai(body->text());
  check_others(body->text());
  check_responses(body->text());
  check_tokens(body->text());
  check_prefix(body->text());
  return 0;
}
