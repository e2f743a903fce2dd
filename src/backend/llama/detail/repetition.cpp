// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/repetition.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cortex::backend {
namespace {

// Beyond it a power of the base is infinite in a float anyway.
constexpr float kExponentMax = 80;

std::size_t window_of(std::int32_t wanted, std::size_t whole) {
  return wanted < 0 ? whole : std::min(static_cast<std::size_t>(wanted), whole);
}

bool has_penalties(const SamplingSettings& settings) {
  const bool repeats = settings.repeat_penalty != 1 && settings.penalty_last != 0;
  return repeats || settings.frequency_penalty != 0 || settings.presence_penalty != 0;
}

bool has_dry(const SamplingSettings& settings) {
  return settings.dry_multiplier > 0 && settings.dry_base >= 1 && settings.dry_penalty_last != 0;
}

}  // namespace

Repetition::Repetition(
    const SamplingSettings& settings,
    std::size_t window_max,
    std::shared_ptr<const std::vector<bool>> breakers,
    Piece piece
)
    : settings_(settings),
      window_(window_of(settings.penalty_last, window_max)),
      dry_window_(window_of(settings.dry_penalty_last, window_max)),
      penalties_(has_penalties(settings)),
      dry_(has_dry(settings) && (breakers != nullptr || piece)),
      breakers_(std::move(breakers)),
      piece_(std::move(piece)) {}

void Repetition::accept(Token token) {
  if (!active()) return;
  text_.push_back(token);
  if (dry_ && piece_) broken_.push_back(ends_breaker(token));
  if (!penalties_) return;
  Count& count = counts_[token];
  ++count.all;
  ++count.recent;
  if (text_.size() > window_) --counts_[said(window_)].recent;
}

void Repetition::apply(const std::function<float*(Token)>& logit_of) {
  if (penalties_) apply_penalties(logit_of);
  if (dry_) apply_dry(logit_of);
}

// A negative logit is multiplied: divided it would become more likely.
void Repetition::apply_penalties(const std::function<float*(Token)>& logit_of) const {
  for (const auto& [token, count] : counts_) {
    float* logit = logit_of(token);
    if (logit == nullptr) continue;
    if (count.recent > 0) {
      *logit = *logit <= 0 ? *logit * settings_.repeat_penalty : *logit / settings_.repeat_penalty;
    }
    *logit -= static_cast<float>(count.all) * settings_.frequency_penalty;
    *logit -= settings_.presence_penalty;
  }
}

void Repetition::apply_dry(const std::function<float*(Token)>& logit_of) {
  const std::size_t window = std::min(text_.size(), dry_window_);
  const auto allowed = static_cast<std::size_t>(std::max(settings_.dry_allowed_length, 0));
  if (window <= allowed) return;
  const std::size_t limit = unbroken(window);
  if (limit < allowed) return;
  count_repeats(window);
  std::unordered_map<Token, std::size_t> longest;  // by the token that would go on with it
  for (std::size_t back = 1; back < window; ++back) {
    const std::size_t length = std::min(repeats_[back], limit);
    if (length == 0 || length < allowed) continue;
    std::size_t& most = longest[said(back - 1)];
    most = std::max(most, length);
  }
  for (const auto& [token, length] : longest) {
    float* logit = logit_of(token);
    if (logit == nullptr || is_breaker(token)) continue;
    const auto beyond = static_cast<float>(length - allowed);
    *logit -=
        settings_.dry_multiplier * std::pow(settings_.dry_base, std::min(beyond, kExponentMax));
  }
}

// Tokens at the end since the last breaker.
std::size_t Repetition::unbroken(std::size_t window) const {
  for (std::size_t back = 0; back < window; ++back) {
    const bool broken = piece_ ? broken_[broken_.size() - 1 - back] : is_breaker(said(back));
    if (broken) return back;
  }
  return window;
}

bool Repetition::is_breaker(Token token) const {
  if (!piece_) return (*breakers_)[static_cast<std::size_t>(token)];
  const std::string piece = piece_(token);
  return std::ranges::any_of(settings_.dry_breakers, [&](const std::string& breaker) {
    return piece.find(breaker) != std::string::npos;
  });
}

// Breakers may be longer than a token.
bool Repetition::ends_breaker(Token token) {
  const std::size_t before = tail_.size();
  tail_ += piece_(token);
  bool ends = false;
  std::size_t longest = 0;
  for (const std::string& breaker : settings_.dry_breakers) {
    const std::size_t at = tail_.rfind(breaker);
    ends = ends || (at != std::string::npos && at + breaker.size() > before);
    longest = std::max(longest, breaker.size());
  }
  if (tail_.size() >= longest) tail_.erase(0, tail_.size() - (longest - 1));
  return ends;
}

// The Z-algorithm over the text read from its end: repeats_[k] is how many tokens before (and with)
// the k-th last are those before (and with) the last. Linear.
void Repetition::count_repeats(std::size_t window) {
  repeats_.assign(window, 0);
  std::size_t left = 0;
  std::size_t right = 0;  // [left, right) equals the start
  for (std::size_t k = 1; k < window; ++k) {
    std::size_t length = k < right ? std::min(right - k, repeats_[k - left]) : 0;
    while (k + length < window && said(length) == said(k + length)) ++length;
    repeats_[k] = length;
    if (k + length <= right) continue;
    left = k;
    right = k + length;
  }
}

}  // namespace cortex::backend
