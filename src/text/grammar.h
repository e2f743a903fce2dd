// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::text {

// The tokens of a language model as grammars see them, prepared once for each loaded model (about
// 200 ms for 50 000 tokens). Immutable, thread-safe; grammars keep it alive.
class GrammarVocabulary {
 public:
  struct Entry {
    std::string bytes;  // what the token writes; of a special token its name
    // Never matches the text of a grammar; a Lark grammar may name it, as <|end|>. A token that a
    // reply's format is written with (text::reply_marks) is to be given as text.
    bool special = false;
  };
  // `ends`: end-of-generation tokens, the first of them the one that a grammar ends with.
  static Result<std::shared_ptr<const GrammarVocabulary>> make(
      std::span<const Entry> tokens, std::span<const std::int32_t> ends
  );
  ~GrammarVocabulary();

  struct Inner;
  [[nodiscard]] const Inner& inner() const { return *inner_; }

 private:
  explicit GrammarVocabulary(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

// What a generated text must look like, as it is being read token by token (llguidance).
// Not thread-safe; a fork is independent.
class Grammar {
 public:
  enum class Kind : std::uint8_t { kJsonSchema, kRegex, kLark };

  // kInvalidArgument, naming the keyword or the line, for what is not supported or no grammar, and
  // for what allows no text at all: no part of a schema is ever ignored (docs/structured-output.md
  // has the table), nor of a schema that a Lark grammar holds (%json). Bounded in time, size
  // (256 KiB) and depth. `kJsonSchema` with the text "{}" is any JSON value; a regular expression
  // is to match the whole text. The first mask is computed here and kept until a token comes.
  static Result<std::unique_ptr<Grammar>> compile(
      const std::shared_ptr<const GrammarVocabulary>& vocabulary, Kind kind, std::string_view text
  );
  ~Grammar();

  // Sets bit t of `mask` for every token that may come next, and clears all others; end tokens are
  // among them where the text may end here. REQUIRES: a bit for every token. kInvalidArgument when
  // the grammar led to where it allows nothing, not even the end; kInternal when it needs more
  // steps or memory than one token is given. It is of no use from then on.
  [[nodiscard]] Status allow(std::span<std::uint32_t> mask);
  // kInternal when the grammar does not allow the token; the state is as before.
  [[nodiscard]] Status accept(std::int32_t token);
  // Nothing but an end token may follow.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] std::unique_ptr<Grammar> fork() const;

 private:
  struct Inner;
  explicit Grammar(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::text
