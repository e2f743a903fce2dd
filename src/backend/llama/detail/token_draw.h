// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "backend/llama/detail/token_choice.h"
#include "request/sampling.h"

namespace cortex::backend {

// The usual cuts and the draw: top_k, top_p, min_p, temperature, one number by chance. From the
// same seed it draws what libllama's chain of these draws, but for the last digits of
// probabilities; the chain writes down a candidate for every token and takes the power of each by
// itself (docs/decisions/0012).
//
// Not thread-safe.
class TokenDraw {
 public:
  // Whether the settings ask for nothing else. REQUIRES: temperature > 0.
  [[nodiscard]] static bool can(const SamplingSettings& settings);
  // REQUIRES: can(settings).
  TokenDraw(const SamplingSettings& settings, std::uint32_t seed);

  // A place in `logits`, never one of minus infinity. REQUIRES: `most` is the largest of them, and
  // more than minus infinity.
  [[nodiscard]] std::size_t draw(std::span<const float> logits, float most);

 private:
  using Places = std::vector<PlacedLogit>;
  [[nodiscard]] Places cut(std::span<const float> logits, float most) const;
  [[nodiscard]] Places nucleus(std::span<const float> logits, float most) const;

  const std::size_t top_k_;
  const float top_p_;
  const float min_p_;
  const float temperature_;
  std::mt19937 random_;
};

}  // namespace cortex::backend
