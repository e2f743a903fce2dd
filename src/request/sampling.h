// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cortex {

// One entry of a model's vocabulary.
using Token = std::int32_t;

// How the next token is drawn. The defaults draw from the model's own distribution, as OpenAI's do;
// every other value switches one sampler on. The order is fixed: bias, penalties, dry, top_k,
// typical, top_p, min_p, xtc, temperature, draw; mirostat takes the place of everything from top_k
// on. Values are in range once read: codecs check them against the ranges given here.
struct SamplingSettings {
  float temperature = 1;           // 0 … 2; 0 takes the most likely token
  float top_p = 1;                 // (0, 1]
  std::int32_t top_k = 0;          // 0: all
  float min_p = 0;                 // [0, 1]
  float typical_p = 1;             // (0, 1]; 1: off
  float repeat_penalty = 1;        // (0, 2]; 1: off
  float frequency_penalty = 0;     // [-2, 2]
  float presence_penalty = 0;      // [-2, 2]
  std::int32_t penalty_last = 64;  // tokens that repeat_penalty looks back; -1: all
  float dry_multiplier = 0;        // 0: off
  float dry_base = 1.75F;
  std::int32_t dry_allowed_length = 2;
  std::int32_t dry_penalty_last = -1;
  std::vector<std::string> dry_breakers;  // a repetition ends at each; empty: "\n", ":", "\"", "*"
  float xtc_probability = 0;              // [0, 1]; 0: off
  float xtc_threshold = 0.1F;
  std::int32_t mirostat = 0;  // 0: off, 1 or 2
  float mirostat_tau = 5;
  float mirostat_eta = 0.1F;
  std::optional<std::uint64_t>
      seed;  // none: a fresh one; sequence i of a request draws with seed + i
  std::vector<std::pair<Token, float>> logit_bias;  // [-100, 100]; -100 forbids the token
};

// Most alternatives that a request may ask for beside each token.
inline constexpr std::size_t kTopLogprobsMax = 20;

}  // namespace cortex
