// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "request/sampling.h"
#include "request/sequence.h"

namespace cortex {

enum class Role : std::uint8_t { kSystem, kDeveloper, kUser, kAssistant, kTool };

// A function that the model calls, as it said it.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text, whatever the model wrote
};

// One message of a conversation as its API gave it. What tokens it becomes is the servable's
// business.
struct Message {
  Role role = Role::kUser;
  std::string content;
  std::string reasoning;             // of an assistant
  std::vector<ToolCall> tool_calls;  // of an assistant
  std::string tool_call_id;          // of a tool: the call that it answers
  std::string name;                  // optional
};

struct Tool {
  std::string name;
  std::string description;
  std::string parameters;  // JSON Schema text; empty: none
  bool strict = false;     // arguments are held to the schema by grammar
};

enum class ToolChoice : std::uint8_t { kAuto, kNone, kRequired, kNamed };

// A conversation to go on with.
struct Conversation {
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;  // with kNamed
  bool parallel_tool_calls = true;
  std::string template_arguments;  // JSON object for the chat template; empty: none
  // Whether the answer goes on with the last message (true: it may be, see below) or is one of its
  // own. Empty: it goes on wherever it may.
  std::optional<bool> continue_last{};
};

// Whether an answer may go on with the last message: one of the assistant's with text and no call.
[[nodiscard]] inline bool may_continue(const Conversation& conversation) {
  if (conversation.messages.empty()) return false;
  const Message& last = conversation.messages.back();
  return last.role == Role::kAssistant && last.tool_calls.empty() && !last.content.empty();
}

// A text to go on with, as it is.
struct Prompt {
  std::string text;
  std::vector<Token> tokens;  // instead of the text
  bool echo = false;          // the answer begins with the prompt
};

// What every sequence must look like; enforced token by token.
struct OutputFormat {
  enum class Kind : std::uint8_t { kText, kJsonObject, kJsonSchema, kRegex, kLark, kChoice };
  Kind kind = Kind::kText;
  std::string text;                  // the schema, regular expression or grammar
  std::vector<std::string> choices;  // with kChoice
  std::string field{};               // of the client's request that says so, for errors
};

// A generation that a client asked for.
struct GenerationInput {
  std::variant<Conversation, Prompt> prompt;
  std::size_t tokens_max = 0;  // of each sequence; 0: up to the end of the context
  std::size_t sequences = 1;   // `n`
  std::size_t best_of = 0;  // sequences made, of which the `sequences` best are given; 0: no more
  SamplingSettings sampling;
  std::vector<std::string> stop;  // the answer ends before the first of them
  std::optional<std::size_t> top_logprobs;
  OutputFormat format;
  bool ignore_end = false;
  std::optional<std::size_t> draft_tokens_max{};  // of SequenceInput
  std::string cache_salt;
};

// What would a generation of this begin with? Answered with a TokenizeOutput; nothing is run.
struct TokenizeInput {
  std::variant<Conversation, Prompt> prompt;
  bool special = true;  // of a Prompt's text: the begin token comes first where the model wants one
  bool pieces = false;  // the answer shows each token's bytes, too
};

// Tokens to text. Answered with a DetokenizeOutput.
struct DetokenizeInput {
  std::vector<Token> tokens;
};

struct TokenizeOutput {
  std::vector<Token> tokens;
  std::vector<std::string> pieces;  // where asked for, of each token: perhaps part of a character
  std::size_t context_length = 0;   // most tokens that the model takes
};

struct DetokenizeOutput {
  std::string text;  // UTF-8; what is no character became U+FFFD
};

// One token of an answer, where log probabilities were asked for. `bytes` may be a part of a
// character.
struct TokenText {
  Token token = 0;
  std::string bytes;
  float logprob = 0;
  struct Alternative {
    Token token = 0;
    std::string bytes;
    float logprob = 0;
  };
  std::vector<Alternative> top;
};

// A piece of a call to a tool. The first piece of call `index` has id and name.
struct ToolCallDelta {
  std::uint32_t index = 0;
  std::string id;
  std::string name;
  std::string arguments;  // to be joined
};

// What came next of one sequence. Texts are whole UTF-8 characters, to be joined in order.
struct GenerationOutput {
  std::uint32_t sequence = 0;
  std::string text;
  std::string reasoning;
  std::vector<ToolCallDelta> tool_calls;
  std::vector<TokenText> tokens;  // of `text`, where asked for
  FinishReason finish = FinishReason::kNone;
  std::string stop;  // with kStop: the stop string that was met; empty: the model ended
  // Tokens so far, for readers that count before the end: of the prompt, and of this sequence.
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
};

}  // namespace cortex
