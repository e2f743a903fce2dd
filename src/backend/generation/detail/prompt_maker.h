// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backend/generation/detail/marked_constraint.h"
#include "backend/generation/detail/sequence_text.h"
#include "backend/sequence_backend.h"
#include "base/mutex.h"
#include "request/generation.h"
#include "request/sequence.h"
#include "text/chat_template.h"
#include "text/grammar.h"
#include "text/reply_parser.h"

namespace cortex::backend {

// A request as the lane takes it, and how its answer becomes text.
struct PreparedGeneration {
  SequenceInput input;
  TextPlan text;
  std::string echo;                // what every answer begins with
  std::vector<Token> echo_tokens;  // of it, where log probabilities are wanted
  bool may_think = false;          // the prompt leaves it to the model to begin with a thought
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
  // True where a grammar will be compiled.
  [[nodiscard]] static bool has_grammar(const GenerationInput& input);

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
  using Constraint = std::shared_ptr<const TokenConstraint>;

  [[nodiscard]] Status constrain(const GenerationInput& input, PreparedGeneration& out);
  // Null: the answer is free.
  [[nodiscard]] Result<Constraint> format_constraint(const OutputFormat& format);
  // Of an answer that is calls alone.
  [[nodiscard]] Result<Constraint> call_constraint(const Conversation& conversation);
  // Of one that may hold calls beside text; null where the model's calls begin like it.
  [[nodiscard]] Result<Constraint> strict_constraint(const Conversation& conversation);
  [[nodiscard]] std::shared_ptr<const Mark> make_mark(std::string_view text) const;
  // A model that thinks may do so before an answer that is held to a form.
  [[nodiscard]] Constraint behind_thought(Constraint constraint, const PreparedGeneration& out)
      const;
  [[nodiscard]] Result<Constraint> compile(text::Grammar::Kind kind, std::string_view text);
  [[nodiscard]] Result<std::shared_ptr<const text::GrammarVocabulary>> grammars();

  const std::shared_ptr<const SequenceBackend> backend_;
  const std::shared_ptr<const text::ChatTemplate> template_;
  const text::ReplyFormat format_;
  const std::vector<Token> marks_;               // special tokens that the format is written with
  const std::shared_ptr<const Mark> call_mark_;  // null: calls begin like other text
  const std::shared_ptr<const Mark> think_begin_;
  const std::shared_ptr<const Mark> think_end_;
  Mutex mutex_;  // the first request with a grammar makes the vocabulary, others wait for it
  std::shared_ptr<const text::GrammarVocabulary> grammars_ GUARDED_BY(mutex_);
};

}  // namespace cortex::backend
