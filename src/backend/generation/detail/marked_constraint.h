// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/sequence_backend.h"
#include "request/token_constraint.h"

namespace cortex::backend {

// A text that a model writes before something that is held to a grammar: "</think>", "<tool_call>".
// Read from the vocabulary once for each loaded model, which outlives it. Immutable.
class Mark {
 public:
  Mark(const Vocabulary& vocabulary, const SequenceModel& model, std::string text);

  [[nodiscard]] const std::string& text() const { return text_; }
  // The token that is the whole mark; -1: it is written with several.
  [[nodiscard]] Token token() const { return token_; }
  // Sets the bits of all tokens that may follow `tail`, the end of a free text: those that run over
  // the end of the mark are not among them, so that what stands behind it begins with a token.
  void allow(std::string_view tail, bool end, std::span<std::uint32_t> mask) const;
  // What `tail` is when the token is there, too: not longer than the mark.
  [[nodiscard]] std::string grown(std::string tail, Token token) const;

 private:
  // A token that begins with the last `used` bytes of the mark and goes on; 0: it holds all of it.
  struct Crossing {
    Token token = 0;
    std::size_t used = 0;
  };

  const Vocabulary& vocabulary_;
  const std::size_t vocabulary_size_;
  const std::vector<Token> ends_;
  const std::string text_;
  Token token_ = -1;
  std::vector<Crossing> crossings_;
};

// Where free text stands beside a grammar.
struct MarkedPlan {
  std::shared_ptr<const Mark> mark;  // the free text's end
  std::shared_ptr<const Mark>
      opening;  // drawn first, as one token, it begins the free text; or null
  bool free_at_first = true;
  bool may_end = false;  // the free text may be the answer's end
  bool repeats = false;  // behind the grammar's end the text is free again
};

// Free text up to a mark, then what a grammar says: a thought before an answer of a given form,
// text around calls whose arguments are held to a schema.
class MarkedConstraint final : public TokenConstraint {
 public:
  // `grammar` has read nothing yet.
  MarkedConstraint(MarkedPlan plan, std::shared_ptr<const TokenConstraint> grammar);

  [[nodiscard]] Status allow(std::span<std::uint32_t> mask) override;
  [[nodiscard]] Status accept(Token token) override;
  [[nodiscard]] bool finished() const override;
  [[nodiscard]] std::unique_ptr<TokenConstraint> fork() const override;

 private:
  void go_free();

  const MarkedPlan plan_;
  const std::shared_ptr<const TokenConstraint> grammar_;  // forked wherever it begins
  std::unique_ptr<TokenConstraint> held_;                 // null: the text is free
  bool begun_ = false;
  std::string tail_;  // of the free text
};

}  // namespace cortex::backend
