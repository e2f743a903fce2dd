// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "request/sequence.h"

namespace cortex::backend {

// Sums over a model's whole vocabulary, once or more for each token: they are written so that the
// compiler makes vectors of them.

[[nodiscard]] inline bool is_allowed(std::span<const std::uint32_t> mask, Token token) {
  const auto index = static_cast<std::size_t>(token);
  return mask.empty() || ((mask[index / 32] >> (index % 32)) & 1) != 0;
}

// The token with the largest logit, the first of equals; none when nothing is allowed or no logit
// is a number.
[[nodiscard]] std::optional<Token> largest(
    std::span<const float> logits, std::span<const std::uint32_t> mask
);

// The largest of them; minus infinity when there are none.
[[nodiscard]] float largest_logit(std::span<const float> logits);

// A logit and where it stands among others.
struct PlacedLogit {
  std::size_t place = 0;
  float logit = 0;
};

// The `count` largest, largest first, of equals the one in front; all where there are fewer.
[[nodiscard]] std::vector<PlacedLogit> largest_of(std::span<const float> logits, std::size_t count);

// All that are not below `bound`, in their order.
[[nodiscard]] std::vector<PlacedLogit> at_least(std::span<const float> logits, float bound);

// Largest first, of equals the one in front.
void order_by_logit(std::vector<PlacedLogit>& places);

// The sum of exp(logit - most). REQUIRES: `most` is the largest, and a number.
[[nodiscard]] double exp_sum(std::span<const float> logits, float most);

// The place where the sum of exp((logit - most) / temperature) from the first on gets beyond
// `chance` of the whole sum; never one with a logit of minus infinity. REQUIRES: `most` is the
// largest, and a number; 0 <= chance < 1.
[[nodiscard]] std::size_t drawn_place(
    std::span<const float> logits, float most, float temperature, double chance
);

// Whether one of them is no number, or without end: broken weights. Minus infinity is one.
[[nodiscard]] bool has_none(std::span<const float> logits);

// log(sum(exp(logits))): what a logit is lessened by to be the natural logarithm of its
// probability.
[[nodiscard]] float log_sum_exp(std::span<const float> logits);

// The `count` most likely tokens, most likely first.
[[nodiscard]] std::vector<TokenLogprob> most_likely(
    std::span<const float> logits, float log_sum, std::size_t count
);

}  // namespace cortex::backend
