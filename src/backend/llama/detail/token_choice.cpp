// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/token_choice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace cortex::backend {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();
constexpr float kMost = std::numeric_limits<float>::max();
constexpr std::size_t kSide = 16;  // accumulators beside each other: a wide register or two

float largest_value(std::span<const float> values) {
  std::array<float, kSide> best;
  best.fill(kNothing);
  std::size_t i = 0;
  for (; i + kSide <= values.size(); i += kSide) {
    for (std::size_t j = 0; j < kSide; ++j) {
      best[j] = values[i + j] > best[j] ? values[i + j] : best[j];
    }
  }
  for (; i < values.size(); ++i) best[0] = values[i] > best[0] ? values[i] : best[0];
  return *std::ranges::max_element(best);
}

std::optional<Token> largest_allowed(
    std::span<const float> logits, std::span<const std::uint32_t> mask
) {
  std::optional<Token> out;
  float best = kNothing;
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint32_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const std::size_t index = word * 32 + static_cast<std::size_t>(std::countr_zero(bits));
      if (index >= logits.size()) return out;
      if (!(logits[index] > best)) continue;
      best = logits[index];
      out = static_cast<Token>(index);
    }
  }
  return out;
}

}  // namespace

std::optional<Token> largest(std::span<const float> logits, std::span<const std::uint32_t> mask) {
  if (!mask.empty()) return largest_allowed(logits, mask);
  const float best = largest_value(logits);
  if (best == kNothing) return std::nullopt;
  return static_cast<Token>(std::ranges::find(logits, best) - logits.begin());
}

bool has_none(std::span<const float> logits) {
  std::uint32_t found = 0;
  for (const float logit : logits) found |= logit <= kMost ? 0U : 1U;
  return found != 0;
}

float log_sum_exp(std::span<const float> logits) {
  const float most = largest_value(logits);
  if (most == kNothing) return 0;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - most);
  return most + static_cast<float>(std::log(sum));
}

std::vector<TokenLogprob> most_likely(
    std::span<const float> logits, float log_sum, std::size_t count
) {
  const auto better = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.token < b.token);
  };
  std::vector<TokenLogprob> out;  // a heap with the least likely in front
  count = std::min(count, logits.size());
  for (std::size_t i = 0; i < logits.size() && count > 0; ++i) {
    if (out.size() == count && !(logits[i] > out.front().logprob)) continue;
    if (out.size() == count) {
      std::ranges::pop_heap(out, better);
      out.pop_back();
    }
    out.push_back({static_cast<Token>(i), logits[i]});
    std::ranges::push_heap(out, better);
  }
  std::ranges::sort(out, better);
  for (TokenLogprob& entry : out) entry.logprob -= log_sum;
  return out;
}

}  // namespace cortex::backend
