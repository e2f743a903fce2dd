// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "request/sampling.h"
#include "request/token_constraint.h"

namespace cortex {

class SequenceEnds;

// Tokens in, tokens out: what a generation is to the lane of a language model. Text, templates and
// stop strings are the business of whoever stands in front of it (backend/generation).
struct SequenceInput {
  std::vector<Token> prompt;   // at least one
  std::size_t tokens_max = 0;  // of each sequence's answer; at least 1
  std::size_t sequences = 1;   // forks that share the prompt
  SamplingSettings sampling;
  // Read at the end of the prompt, forked for every sequence; null: none. The lane takes it over.
  std::shared_ptr<const TokenConstraint> constraint;
  std::optional<std::size_t> top_logprobs;  // none: no log probabilities are computed
  bool prompt_logprobs = false;             // those of the prompt's own tokens, too
  bool ignore_end = false;                  // an end-of-generation token is a token as others
  // Foretold of each sequence in a step at most, where that is less than what the model may; 0:
  // none. What is said is the same.
  std::optional<std::size_t> draft_tokens_max{};
  std::string adapter;  // name of a loaded adapter; empty: the base model
  float adapter_scale = 1;
  // Prompts whose salt differs share nothing in the cache (beyond tenant and adapter, which always
  // part them).
  std::string cache_salt;
  // Which of the sequences the reader wants no more of (request/sequence_ends.h); null: all are
  // wanted to their end. One that he ends ends with kStop.
  std::shared_ptr<const SequenceEnds> ends;
};

struct TokenLogprob {
  Token token = 0;
  float logprob = 0;  // natural, of the model's own distribution before any sampler
};

// One drawn token.
struct SampledToken {
  Token token = 0;
  float logprob = 0;              // 0 unless asked for
  std::vector<TokenLogprob> top;  // most likely first; as many as asked for
};

// Why a sequence ended.
enum class FinishReason : std::uint8_t {
  kNone,       // it goes on
  kStop,       // the model's end-of-generation token, the constraint's end, or a stop string
  kLength,     // tokens_max, or the end of the context
  kToolCalls,  // it ended by calling tools (above the lane only)
};

// What came of some steps for one sequence: tokens in order, and its end.
struct TokenOutput {
  std::uint32_t sequence = 0;        // 0 … sequences - 1
  std::vector<SampledToken> tokens;  // the end-of-generation token is not among them
  FinishReason finish = FinishReason::kNone;
  // Of the prompt's tokens but the first, once, with the first output of sequence 0, where asked
  // for.
  std::vector<SampledToken> prompt;
};

}  // namespace cortex
