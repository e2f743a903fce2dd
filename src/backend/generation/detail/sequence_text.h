// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/generation/detail/stop_scanner.h"
#include "backend/generation/detail/utf8_stream.h"
#include "backend/sequence_backend.h"
#include "request/generation.h"
#include "text/reply_parser.h"

namespace cortex::backend {

// How the tokens of a request's sequences become text.
struct TextPlan {
  std::vector<std::string> stop;
  std::vector<Token> marks;  // special tokens that are text: marks of calls and reasoning
  bool logprobs = false;
  std::optional<text::ReplyParserOptions> reply;  // none: all of it is text
  bool parallel_calls = true;                     // else the first call ends the answer
  bool calls_alone = false;  // a call must be made: what one was begun with is no text at the end
};

// The bytes of a token with its log probability and its alternatives.
[[nodiscard]] TokenText token_text(const Vocabulary& vocabulary, const SampledToken& token);

// One sequence's way from tokens to text: characters made whole, stop strings found, reasoning and
// calls told apart. Tokens come with the text that they are of, those of a thought, a mark or a
// call never; a token of both is the text's. What ends by itself or with a stop string ends with
// kToolCalls where it has calls and all of them are whole, else with kStop. Not thread-safe.
class SequenceText {
 public:
  // Both outlive it.
  SequenceText(const TextPlan& plan, const Vocabulary& vocabulary);

  // Adds what the token says to `out`. Nothing once it ended.
  void add(const SampledToken& token, GenerationOutput& out);
  // The lane ended the sequence. Nothing where a stop string did before.
  void end(FinishReason reason, GenerationOutput& out);
  [[nodiscard]] bool ended() const { return ended_; }

  [[nodiscard]] std::size_t tokens() const { return tokens_; }
  // Mean over the tokens; what best_of compares.
  [[nodiscard]] double mean_logprob() const;

 private:
  struct Waiting {
    TokenText token;
    // Where its text is in what the sequence said, in bytes; of one that says nothing of its own,
    // or a part of a character, the byte that follows.
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  void pass(std::string_view text, GenerationOutput& out);
  void take(std::vector<text::ReplyPiece> pieces, GenerationOutput& out);
  void take_rest(GenerationOutput& out);
  void add_call(text::ReplyPiece piece, GenerationOutput& out);
  void speak(std::string_view text, std::size_t begin, GenerationOutput& out);
  void drop_tokens(std::size_t until);
  void finish(FinishReason reason, GenerationOutput& out);
  [[nodiscard]] bool calls_are_whole() const;

  const TextPlan& plan_;
  const Vocabulary& vocabulary_;
  Utf8Stream characters_;
  StopScanner stops_;
  std::unique_ptr<text::ReplyParser> parser_;  // null: all of it is text
  std::deque<Waiting> waiting_;                // tokens of which is not known yet what they say
  std::size_t heard_ = 0;                      // bytes of whole characters
  std::size_t passed_ = 0;                     // of these, beyond the stop strings
  bool in_text_ = true;                        // what came last was no thought and no call
  std::size_t tokens_ = 0;
  double logprob_sum_ = 0;
  std::uint32_t calls_ = 0;
  bool ended_ = false;
};

}  // namespace cortex::backend
