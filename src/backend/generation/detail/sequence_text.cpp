// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/sequence_text.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace cortex::backend {
namespace {

constexpr std::size_t kCallIdLength = 24;

std::string call_id() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string out = "call_";
  for (std::size_t i = 0; i < kCallIdLength; ++i) out += kLetters[random() % kLetters.size()];
  return out;
}

// The delta that goes on with call `index`: the last one where it is that call's.
ToolCallDelta& delta_of(GenerationOutput& out, std::uint32_t index) {
  if (out.tool_calls.empty() || out.tool_calls.back().index != index) {
    out.tool_calls.emplace_back();
    out.tool_calls.back().index = index;
  }
  return out.tool_calls.back();
}

}  // namespace

TokenText token_text(const Vocabulary& vocabulary, const SampledToken& token) {
  TokenText out;
  out.token = token.token;
  out.bytes = vocabulary.piece(token.token, true);
  out.logprob = token.logprob;
  for (const TokenLogprob& other : token.top) {
    out.top.push_back({other.token, vocabulary.piece(other.token, true), other.logprob});
  }
  return out;
}

SequenceText::SequenceText(const TextPlan& plan, const Vocabulary& vocabulary)
    : plan_(plan), vocabulary_(vocabulary), stops_(plan.stop) {
  if (plan_.reply) parser_ = std::make_unique<text::ReplyParser>(*plan_.reply);
}

double SequenceText::mean_logprob() const {
  return tokens_ == 0 ? 0 : logprob_sum_ / static_cast<double>(tokens_);
}

void SequenceText::add(const SampledToken& token, GenerationOutput& out) {
  if (ended_) return;
  ++tokens_;
  logprob_sum_ += static_cast<double>(token.logprob);
  const bool mark = std::ranges::find(plan_.marks, token.token) != plan_.marks.end();
  const std::string bytes = vocabulary_.piece(token.token, mark);
  const std::string text = characters_.feed(bytes);
  const std::size_t begin = heard_;
  heard_ += text.size();
  if (plan_.logprobs) {
    waiting_.push_back({token_text(vocabulary_, token), begin, std::max(heard_, begin + 1)});
  }
  pass(text, out);
  if (!ended_ && stops_.stop()) finish(FinishReason::kStop, out);
}

void SequenceText::pass(std::string_view text, GenerationOutput& out) {
  const std::string free = stops_.feed(text);
  if (free.empty()) return;
  if (parser_) {
    take(parser_->feed(free), out);
  } else {
    speak(free, passed_, out);
  }
  passed_ += free.size();
}

void SequenceText::take(std::vector<text::ReplyPiece> pieces, GenerationOutput& out) {
  for (text::ReplyPiece& piece : pieces) {
    if (ended_) return;
    in_text_ = piece.kind == text::ReplyPiece::Kind::kText;
    switch (piece.kind) {
      case text::ReplyPiece::Kind::kText:
        speak(piece.text, piece.begin, out);
        break;
      case text::ReplyPiece::Kind::kReasoning:
        out.reasoning += piece.text;
        break;
      case text::ReplyPiece::Kind::kCall:
      case text::ReplyPiece::Kind::kArguments:
        add_call(std::move(piece), out);
        break;
    }
  }
  drop_tokens(parser_->settled());
}

// Where nothing but calls was to be drawn, a text that the end brings is a piece of a call that was
// cut off before it was one.
void SequenceText::take_rest(GenerationOutput& out) {
  std::vector<text::ReplyPiece> rest = parser_->finish();
  if (plan_.calls_alone) {
    std::erase_if(rest, [](const text::ReplyPiece& piece) {
      return piece.kind == text::ReplyPiece::Kind::kText;
    });
  }
  take(std::move(rest), out);
}

void SequenceText::add_call(text::ReplyPiece piece, GenerationOutput& out) {
  if (piece.call > 0 && !plan_.parallel_calls) {
    ended_ = true;  // one call is what was asked for
    out.finish = calls_are_whole() ? FinishReason::kToolCalls : FinishReason::kStop;
    return;
  }
  calls_ = piece.call + 1;
  ToolCallDelta& delta = delta_of(out, piece.call);
  if (piece.kind == text::ReplyPiece::Kind::kArguments) {
    delta.arguments += piece.text;
    return;
  }
  delta.id = call_id();
  delta.name = std::move(piece.text);
}

// A text that begins at a byte of what the sequence said, with its tokens.
void SequenceText::speak(std::string_view text, std::size_t begin, GenerationOutput& out) {
  out.text += text;
  drop_tokens(begin);
  while (!waiting_.empty() && waiting_.front().begin < begin + text.size()) {
    out.tokens.push_back(std::move(waiting_.front().token));
    waiting_.pop_front();
  }
}

// Tokens that end before the byte are of no text.
void SequenceText::drop_tokens(std::size_t until) {
  while (!waiting_.empty() && waiting_.front().end <= until) waiting_.pop_front();
}

void SequenceText::end(FinishReason reason, GenerationOutput& out) {
  if (ended_) return;
  pass(characters_.finish(), out);
  if (!ended_) finish(reason, out);
}

void SequenceText::finish(FinishReason reason, GenerationOutput& out) {
  const std::string held = stops_.finish();
  if (parser_) {
    if (!held.empty()) take(parser_->feed(held), out);
    if (!ended_) take_rest(out);
  } else {
    speak(held, passed_, out);
  }
  if (ended_) return;
  ended_ = true;
  // Behind the last text there may be tokens that say nothing.
  const bool rest = in_text_ && !stops_.stop();
  for (Waiting& one : waiting_) {
    if (rest) out.tokens.push_back(std::move(one.token));
  }
  waiting_.clear();
  out.finish = stops_.stop() ? FinishReason::kStop : reason;
  if (out.finish == FinishReason::kStop && calls_are_whole()) {
    out.finish = FinishReason::kToolCalls;
  } else if (stops_.stop()) {
    out.stop = *stops_.stop();
  }
}

bool SequenceText::calls_are_whole() const {
  return calls_ > 0 && parser_->whole_calls() >= calls_;
}

}  // namespace cortex::backend
