// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/generation/detail/marked_constraint.h"
#include "backend/sequence_backend.h"
#include "base/mutex.h"
#include "request/generation.h"
#include "text/grammar.h"
#include "text/reply_parser.h"

namespace cortex::backend {

// Whether an answer begins with a thought.
enum class Thought : std::uint8_t {
  kNone,
  kMay,    // the prompt leaves it to the model
  kBegun,  // the prompt ended behind <think>
};

// The conversation wants an answer that is calls alone.
[[nodiscard]] bool must_call(const Conversation& conversation);
// The answer must have another form than text.
[[nodiscard]] bool has_form(const GenerationInput& input);

// What a request says of its answer's form, as what the lane may draw. Thread-safe.
class ConstraintMaker {
 public:
  using Constraint = std::shared_ptr<const TokenConstraint>;

  // `grammars` may be null: they are made with the first constraint.
  ConstraintMaker(
      std::shared_ptr<const SequenceBackend> backend,
      std::shared_ptr<const text::GrammarVocabulary> grammars,
      text::ReplyFormat format
  );

  // True where a grammar will be compiled.
  [[nodiscard]] static bool has_grammar(const GenerationInput& input);
  // Null: the answer is free. kInvalidArgument names the field of a form that is none.
  [[nodiscard]] Result<Constraint> make(const GenerationInput& input, Thought thought);
  // Special tokens that the format is written with: they say nothing unless they are asked for.
  [[nodiscard]] const std::vector<Token>& marks() const { return marks_; }

 private:
  [[nodiscard]] Result<Constraint> of_format(const OutputFormat& format);
  [[nodiscard]] Result<Constraint> of_calls(const Conversation& conversation);
  // Of an answer that may hold calls beside text; null where the model's calls begin like it.
  [[nodiscard]] Result<Constraint> of_strict_calls(const Conversation& conversation);
  // Why calls have no grammar, with the name of the tool whose schema is at fault.
  [[nodiscard]] Status tool_error(const Conversation& conversation, const Status& whole);
  // A model that thinks may do so before an answer that is held to a form.
  [[nodiscard]] Constraint behind_thought(Constraint constraint, Thought thought) const;
  [[nodiscard]] std::shared_ptr<const Mark> make_mark(std::string_view text) const;
  [[nodiscard]] Result<Constraint> compile(text::Grammar::Kind kind, std::string_view text);
  [[nodiscard]] Result<std::shared_ptr<const text::GrammarVocabulary>> grammars();

  const std::shared_ptr<const SequenceBackend> backend_;
  const text::ReplyFormat format_;
  const std::vector<Token> marks_;
  const std::shared_ptr<const Mark> call_mark_;  // null: calls begin like other text
  const std::shared_ptr<const Mark> think_begin_;
  const std::shared_ptr<const Mark> think_end_;
  Mutex mutex_;  // the first request with a grammar makes the vocabulary, others wait for it
  std::shared_ptr<const text::GrammarVocabulary> grammars_ GUARDED_BY(mutex_);
};

}  // namespace cortex::backend
