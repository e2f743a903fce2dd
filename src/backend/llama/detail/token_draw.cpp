// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/token_draw.h"

#include <algorithm>
#include <cmath>

namespace cortex::backend {
namespace {

// The nucleus of nearly every distribution that a model gives is within so many tokens.
constexpr std::size_t kNucleusMost = 128;

std::vector<float> logits_of(const std::vector<PlacedLogit>& places) {
  std::vector<float> out(places.size());
  std::ranges::transform(places, out.begin(), &PlacedLogit::logit);
  return out;
}

// Keeps the first ones whose powers reach `wanted` together. False where all of them do not.
bool keep_nucleus(std::vector<PlacedLogit>& places, float most, double wanted) {
  double sum = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    sum += std::exp(places[i].logit - most);
    if (sum < wanted) continue;
    places.resize(i + 1);
    return true;
  }
  return false;
}

}  // namespace

bool TokenDraw::can(const SamplingSettings& settings) {
  return settings.mirostat == 0 && settings.typical_p >= 1 && settings.xtc_probability <= 0;
}

TokenDraw::TokenDraw(const SamplingSettings& settings, std::uint32_t seed)
    : top_k_(settings.top_k > 0 ? static_cast<std::size_t>(settings.top_k) : 0),
      top_p_(settings.top_p),
      min_p_(settings.min_p),
      temperature_(settings.temperature),
      random_(seed) {}

std::size_t TokenDraw::draw(std::span<const float> logits, float most) {
  const double chance = std::uniform_real_distribution<double>(0, 1)(random_);
  if (top_k_ == 0 && top_p_ >= 1 && min_p_ <= 0) {
    return drawn_place(logits, most, temperature_, chance);
  }
  const Places left = cut(logits, most);
  return left[drawn_place(logits_of(left), most, temperature_, chance)].place;
}

// The likeliest is always left, whatever rounding does.
TokenDraw::Places TokenDraw::cut(std::span<const float> logits, float most) const {
  const float bound = min_p_ > 0 ? std::min(most + std::log(min_p_), most) : 0;
  if (top_k_ == 0 && top_p_ >= 1) return at_least(logits, bound);
  Places out;
  if (top_k_ > 0) {
    out = largest_of(logits, top_k_);
    if (top_p_ < 1) keep_nucleus(out, most, top_p_ * exp_sum(logits_of(out), most));
  } else {
    out = nucleus(logits, most);
  }
  if (min_p_ > 0) {
    const auto below = [&](const PlacedLogit& one) { return one.logit < bound; };
    out.erase(std::ranges::find_if(out, below), out.end());
  }
  return out;
}

// Tokens that are so unlikely that all of them together are beyond the nucleus are not ordered.
TokenDraw::Places TokenDraw::nucleus(std::span<const float> logits, float most) const {
  const double sum = exp_sum(logits, most);
  const double wanted = sum * top_p_;
  Places out = largest_of(logits, kNucleusMost);
  if (keep_nucleus(out, most, wanted)) return out;
  const double rest = (sum - wanted) / static_cast<double>(logits.size());
  out = at_least(logits, most + static_cast<float>(std::log(rest)));
  order_by_logit(out);
  keep_nucleus(out, most, wanted);
  return out;
}

}  // namespace cortex::backend
