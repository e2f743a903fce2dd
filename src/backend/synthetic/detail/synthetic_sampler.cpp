// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/synthetic_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "backend/synthetic/detail/sequence_cells.h"

namespace cortex::backend {
namespace {

constexpr float kForbids = -100;

bool is_allowed(std::span<const std::uint32_t> allowed, std::size_t token) {
  return allowed.empty() || ((allowed[token / 32] >> (token % 32)) & 1U) != 0;
}

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - top);
  return top + std::log(sum);
}

std::vector<TokenLogprob> most_likely(std::span<const float> logits, std::size_t count) {
  std::vector<TokenLogprob> out;
  out.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    out.push_back({static_cast<Token>(i), logits[i]});
  }
  count = std::min(count, out.size());
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(out.begin(), end, out.end(), [](const auto& a, const auto& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
  });
  out.resize(count);
  return out;
}

void add_logprobs(std::span<const float> logits, std::size_t top, SampledToken& out) {
  const double all = log_sum_exp(logits);
  const auto logprob = [&](float logit) { return static_cast<float>(double{logit} - all); };
  out.logprob = logprob(logits[static_cast<std::size_t>(out.token)]);
  out.top = most_likely(logits, top);
  for (TokenLogprob& entry : out.top) entry.logprob = logprob(entry.logprob);
}

}  // namespace

SyntheticSampler::SyntheticSampler(SamplingSettings settings, std::uint64_t seed)
    : settings_(std::move(settings)), draws_(spread_bits(seed)) {}

void SyntheticSampler::accept(Token token) { accepted_.push_back(token); }

void SyntheticSampler::penalise(std::vector<double>& logits) const {
  const bool neutral = settings_.repeat_penalty == 1 && settings_.presence_penalty == 0 &&
                       settings_.frequency_penalty == 0;
  if (neutral) return;
  const std::size_t window =
      settings_.penalty_last < 0
          ? accepted_.size()
          : std::min<std::size_t>(accepted_.size(), std::size_t(settings_.penalty_last));
  std::map<Token, int> counts;
  for (std::size_t i = accepted_.size() - window; i < accepted_.size(); ++i) ++counts[accepted_[i]];
  for (const auto& [token, count] : counts) {
    double& logit = logits[static_cast<std::size_t>(token)];
    const double repeat = settings_.repeat_penalty;
    logit = logit > 0 ? logit / repeat : logit * repeat;
    logit -= double{settings_.presence_penalty} + double{settings_.frequency_penalty} * count;
  }
}

std::vector<SyntheticSampler::Candidate> SyntheticSampler::candidates(
    std::span<const float> logits, std::span<const std::uint32_t> allowed
) const {
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  std::vector<double> biased(logits.begin(), logits.end());
  for (const auto& [token, bias] : settings_.logit_bias) {
    if (token < 0 || static_cast<std::size_t>(token) >= biased.size()) continue;
    biased[static_cast<std::size_t>(token)] += bias > kForbids ? double{bias} : kNever;
  }
  penalise(biased);
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < biased.size(); ++i) {
    if (biased[i] > kNever && is_allowed(allowed, i)) {
      out.push_back({static_cast<Token>(i), biased[i]});
    }
  }
  std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  });
  return out;
}

// REQUIRES: the most likely comes first.
void SyntheticSampler::cut(std::vector<Candidate>& candidates) const {
  if (settings_.top_k > 0) {
    candidates.resize(std::min(candidates.size(), static_cast<std::size_t>(settings_.top_k)));
  }
  const double top = candidates.front().logit;
  double all = 0;
  for (const Candidate& candidate : candidates) all += std::exp(candidate.logit - top);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && sum < settings_.top_p * all) {
    const double weight = std::exp(candidates[kept].logit - top);
    if (weight < double{settings_.min_p}) break;
    sum += weight;
    ++kept;
  }
  candidates.resize(std::max<std::size_t>(kept, 1));
}

Token SyntheticSampler::draw(const std::vector<Candidate>& candidates) {
  draws_ = spread_bits(draws_);
  const double top = candidates.front().logit;
  const double temperature = settings_.temperature;
  std::vector<double> sums;
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += std::exp((candidate.logit - top) / temperature);
    sums.push_back(sum);
  }
  const double drawn = sum * static_cast<double>(draws_ >> 11U) / static_cast<double>(1ULL << 53U);
  const auto at = std::upper_bound(sums.begin(), sums.end() - 1, drawn);
  return candidates[static_cast<std::size_t>(at - sums.begin())].token;
}

Result<SampledToken> SyntheticSampler::sample(
    std::span<const float> logits, const SampleOptions& options
) {
  std::vector<Candidate> left = candidates(logits, options.allowed);
  if (left.empty()) return failed_precondition("no token is allowed");
  SampledToken out;
  if (settings_.temperature <= 0) {
    out.token = left.front().token;
  } else {
    cut(left);
    out.token = draw(left);
  }
  if (options.top_logprobs) add_logprobs(logits, *options.top_logprobs, out);
  return out;
}

}  // namespace cortex::backend
