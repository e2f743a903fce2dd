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
  kHermes,    // <tool_call>{"name":…,"arguments":{…}}</tool_call>: Qwen, Hermes, SmolLM
  kLlama3,    // {"name":…,"parameters":{…}}, perhaps behind <|python_tag|>
  kMistral,   // [TOOL_CALLS][{"name":…,"arguments":{…}}]  or  [TOOL_CALLS]name[ARGS]{…}
  kDeepSeek,  // <｜tool▁calls▁begin｜>…
  kPhi,       // <|tool_call|>[…]<|/tool_call|>
  kGemma,     // ```tool_code … or a JSON object in a code block
};

// The format that a model's chat template and vocabulary speak of; kHermes where tools are wanted
// and nothing is known.
[[nodiscard]] ReplyFormat reply_format_of(std::string_view chat_template);

struct ReplyTool {
  std::string name;
  std::string parameters;  // JSON Schema; empty: any object
};

// A Lark grammar (for text::Grammar) of a reply that calls one of `tools`, at least once; several
// times where `parallel`.
[[nodiscard]] Result<std::string> tool_call_grammar(
    ReplyFormat format, const std::vector<ReplyTool>& tools, bool parallel
);

// A piece of a reply. Pieces are to be joined in order.
struct ReplyPiece {
  enum class Kind : std::uint8_t { kText, kReasoning, kCall, kArguments };
  Kind kind = Kind::kText;
  std::string text;        // of a call its name; of arguments the next part of their JSON
  std::uint32_t call = 0;  // of kCall and kArguments: which, from 0
};

struct ReplyParserOptions {
  ReplyFormat format = ReplyFormat::kPlain;
  bool tools = false;                // else marks of calls are text
  bool reasoning = true;             // <think>…</think> becomes reasoning
  bool starts_in_reasoning = false;  // the prompt ended behind <think>
};

// Cuts a reply into text, reasoning and calls while it comes. What may still become a mark is held
// back, never more than the longest mark and, of a call, its name. A call that turns out to be none
// (broken JSON, no name) is given as the text it was: nothing is lost.
// Not thread-safe. Takes and gives whole UTF-8 characters. Memory is bounded by the reply.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyParserOptions options);
  ~ReplyParser();

  [[nodiscard]] std::vector<ReplyPiece> feed(std::string_view text);
  // The reply ended: what was held back.
  [[nodiscard]] std::vector<ReplyPiece> finish();

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::text
