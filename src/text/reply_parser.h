// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::text {

// How a family of models writes calls of tools and its reasoning into its text.
enum class ReplyFormat : std::uint8_t {
  kPlain,     // text alone
  kHermes,    // <tool_call>{"name":…,"arguments":{…}}</tool_call>: Qwen, Hermes
  kLlama3,    // {"name":…,"parameters":{…}}, perhaps behind <|python_tag|>
  kMistral,   // [TOOL_CALLS][{"name":…,"arguments":{…}}]  or  [TOOL_CALLS]name[ARGS]{…}
  kDeepSeek,  // <｜tool▁calls▁begin｜>…
  kPhi,       // <|tool_call|>[…]<|/tool_call|>
  kGemma,     // {"name":…,"parameters":…} in a code block, or a list of them
  kSmolLm,    // <tool_call>[{"name":…,"arguments":{…}}]</tool_call>
};

// The format that a model's chat template and vocabulary speak of; kHermes where tools are wanted
// and nothing is known.
[[nodiscard]] ReplyFormat reply_format_of(std::string_view chat_template);

struct ReplyTool {
  std::string name;
  std::string parameters;  // JSON Schema; empty: any object
};

// Texts that a format is written with. Where they are special tokens of a vocabulary, a reply must
// be decoded with their text, and grammars must be given them as text.
[[nodiscard]] std::vector<std::string_view> reply_marks(ReplyFormat format);

struct ReplyCall {
  std::string name;
  std::string arguments;  // JSON; empty: {}
};

// The calls as a model of this format writes them: for conversations whose template does not
// (ChatTemplate::Capabilities::tool_calls).
[[nodiscard]] std::string tool_calls_text(ReplyFormat format, const std::vector<ReplyCall>& calls);

// What a system message says of `tools` (a JSON array as TemplateInput has it) where the template
// says nothing (ChatTemplate::Capabilities::tools).
[[nodiscard]] std::string tool_instructions(ReplyFormat format, std::string_view tools);

// A Lark grammar (for text::Grammar) of a reply that calls one of `tools`, at least once; several
// times where `parallel`. kPlain is written as kHermes. kInvalidArgument without tools, or where
// parameters are no JSON object; what a schema may hold is for text::Grammar to say.
[[nodiscard]] Result<std::string> tool_call_grammar(
    ReplyFormat format, const std::vector<ReplyTool>& tools, bool parallel
);

// What begins a call that stands beside text: "<tool_call>". Empty where the format's calls begin
// like other text (kLlama3, kGemma, kPlain).
[[nodiscard]] std::string_view call_mark(ReplyFormat format);

// What a reply that may hold calls beside text is held to behind that mark.
struct MarkedCalls {
  std::string grammar;   // Lark, of what follows the mark, to the end of the call or calls
  bool repeats = false;  // several calls have a mark each
};

// Errors as of tool_call_grammar(). REQUIRES: a call_mark().
[[nodiscard]] Result<MarkedCalls> marked_call_grammar(
    ReplyFormat format, const std::vector<ReplyTool>& tools, bool parallel
);

// Where a thought begins and ends in a reply.
inline constexpr std::string_view kThinkBegin = "<think>";
inline constexpr std::string_view kThinkEnd = "</think>";

// A piece of a reply. Pieces are to be joined in order.
struct ReplyPiece {
  enum class Kind : std::uint8_t { kText, kReasoning, kCall, kArguments };
  Kind kind = Kind::kText;
  std::string text;        // of a call its name; of arguments the next part of their JSON
  std::uint32_t call = 0;  // of kCall and kArguments: which, from 0
  std::size_t begin = 0;   // of kText and kReasoning: bytes of the reply before it
};

struct ReplyParserOptions {
  ReplyFormat format = ReplyFormat::kPlain;
  bool tools = false;                // else marks of calls are text
  bool reasoning = true;             // <think>…</think> becomes reasoning
  bool starts_in_reasoning = false;  // the prompt ended behind <think>
};

// Cuts a reply into text, reasoning and calls while it comes. What may still become a mark is held
// back: never more than the longest mark and, of a call, what stands before its arguments (8 KiB).
// What turns out to be no call before its arguments begin (broken JSON, no name) is given as the
// text it was; later, the call stands with what the model wrote of its arguments. White space
// around reasoning and between calls is left out. Not thread-safe. Takes and gives whole UTF-8
// characters. Memory is bounded by the reply.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyParserOptions options);
  ~ReplyParser();

  [[nodiscard]] std::vector<ReplyPiece> feed(std::string_view text);
  // The reply ended: what was held back.
  [[nodiscard]] std::vector<ReplyPiece> finish();

  // Bytes of the reply that are not held back: what they are was said.
  [[nodiscard]] std::size_t settled() const;
  // How many calls, from the first on, have ended with all of their arguments. Others were cut off,
  // or broke off.
  [[nodiscard]] std::uint32_t whole_calls() const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::text
