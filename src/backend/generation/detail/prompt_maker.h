// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backend/generation/detail/constraint_maker.h"
#include "backend/generation/detail/sequence_text.h"
#include "backend/sequence_backend.h"
#include "request/generation.h"
#include "request/sequence.h"
#include "text/chat_template.h"
#include "text/reply_parser.h"

namespace cortex::backend {

// A request as the lane takes it, and how its answer becomes text.
struct PreparedGeneration {
  SequenceInput input;
  TextPlan text;
  std::string echo;                // what every answer begins with
  std::vector<Token> echo_tokens;  // of it, where log probabilities are wanted
  Thought thought = Thought::kNone;
};

// Template, tokens and grammar in front of a language model. Thread-safe.
class PromptMaker {
 public:
  PromptMaker(
      std::shared_ptr<const SequenceBackend> backend,
      std::shared_ptr<const text::ChatTemplate> chat_template,
      std::shared_ptr<const text::GrammarVocabulary> grammars,
      text::ReplyFormat format
  );

  // kInvalidArgument with reason and field for what the client got wrong, kUnimplemented for a
  // conversation without a template.
  [[nodiscard]] Result<PreparedGeneration> prepare(const GenerationInput& input);
  // The tokens that a generation of this begins with. Errors as of prepare().
  [[nodiscard]] Result<TokenizeOutput> tokenize(const TokenizeInput& input) const;
  [[nodiscard]] Result<DetokenizeOutput> detokenize(const DetokenizeInput& input) const;
  // What prompts that begin with this one have in common: a conversation to the end of its last
  // message. Errors as of prepare().
  [[nodiscard]] Result<std::vector<Token>> prefix_tokens(
      const std::variant<Conversation, Prompt>& prompt
  ) const;
  // Bytes of text to be worked on, for whoever decides where that is done.
  [[nodiscard]] static std::size_t work_bytes(const std::variant<Conversation, Prompt>& prompt);

  [[nodiscard]] const Vocabulary& vocabulary() const { return backend_->vocabulary(); }

 private:
  // What the template makes of a conversation: its text, too. Where an answer follows, it ends with
  // what begins one.
  [[nodiscard]] Result<std::vector<Token>> conversation_tokens(
      const Conversation& conversation, bool answer_follows, std::string& text
  ) const;
  [[nodiscard]] Status read_conversation(
      const Conversation& conversation, const GenerationInput& input, PreparedGeneration& out
  );
  [[nodiscard]] Status read_prompt(const Prompt& prompt, PreparedGeneration& out) const;
  [[nodiscard]] Status check_tokens(const std::vector<Token>& tokens, std::string_view field) const;
  [[nodiscard]] Status fit_context(const GenerationInput& input, PreparedGeneration& out) const;

  const std::shared_ptr<const SequenceBackend> backend_;
  const std::shared_ptr<const text::ChatTemplate> template_;
  const text::ReplyFormat format_;
  ConstraintMaker constraints_;
};

}  // namespace cortex::backend
