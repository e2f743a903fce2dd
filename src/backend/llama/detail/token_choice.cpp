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
constexpr std::size_t kSide = 16;    // accumulators beside each other: a wide register or two
constexpr std::size_t kBlock = 256;  // logits that are summed to one number
constexpr std::size_t kLook = 32;    // logits that are passed over at once
// Beyond it a heap is slower than to part them all.
constexpr std::size_t kHeapMax = 2048;
constexpr float kExponentMin = -87;  // what is below has no normal float as its power

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

// e^x for x <= 0, to 2 units in the last place: 2^n * e^r with |r| <= ln(2) / 2, e^r by Cephes'
// polynomial (expf). The library's own is a call for each number.
[[gnu::always_inline]] inline float exponential(float from) {
  const float x = from > kExponentMin ? from : kExponentMin;
  const float shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: rounds to an integer
  const float n = shifted - 12582912.0F;
  const float r = x - n * 0.693359375F + n * 2.12194440e-4F;
  float p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // n stands in the last bits of the shifted number, too.
  const auto bits = std::bit_cast<std::uint32_t>(p) + (std::bit_cast<std::uint32_t>(shifted) << 23);
  return from < kExponentMin ? 0 : std::bit_cast<float>(bits);
}

// The sum of exp((logit - most) * sharpness) over at most a block.
[[gnu::always_inline]] inline double any_block_sum(
    std::span<const float> logits, float most, float sharpness
) {
  std::array<float, kSide> sums{};
  std::size_t i = 0;
  for (; i + kSide <= logits.size(); i += kSide) {
    for (std::size_t j = 0; j < kSide; ++j) {
      sums[j] += exponential((logits[i + j] - most) * sharpness);
    }
  }
  double out = 0;
  for (; i < logits.size(); ++i) out += exponential((logits[i] - most) * sharpness);
  for (const float sum : sums) out += sum;
  return out;
}

double narrow_block_sum(std::span<const float> logits, float most, float sharpness) {
  return any_block_sum(logits, most, sharpness);
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] double wide_block_sum(
    std::span<const float> logits, float most, float sharpness
) {
  return any_block_sum(logits, most, sharpness);
}
#endif

using BlockSum = double (*)(std::span<const float> logits, float most, float sharpness);

BlockSum block_sum_of_processor() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return wide_block_sum;
#endif
  return narrow_block_sum;
}

double block_sum(std::span<const float> logits, float most, float sharpness) {
  static const BlockSum sum = block_sum_of_processor();
  return sum(logits, most, sharpness);
}

std::span<const float> block_of(std::span<const float> logits, std::size_t begin) {
  return logits.subspan(begin, std::min(kBlock, logits.size() - begin));
}

bool any_above(std::span<const float, kLook> logits, float bound) {
  std::uint32_t found = 0;
  for (const float logit : logits) found |= logit > bound ? 1U : 0U;
  return found != 0;
}

bool larger(const PlacedLogit& a, const PlacedLogit& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.place < b.place);
}

std::vector<PlacedLogit> largest_by_parting(std::span<const float> logits, std::size_t count) {
  auto out = at_least(logits, kNothing);
  const auto end = out.begin() + static_cast<std::ptrdiff_t>(count);
  if (end != out.end()) std::ranges::nth_element(out, end, larger);
  out.resize(count);
  order_by_logit(out);
  return out;
}

}  // namespace

float largest_logit(std::span<const float> logits) {
  std::array<float, kSide> best;
  best.fill(kNothing);
  std::size_t i = 0;
  for (; i + kSide <= logits.size(); i += kSide) {
    for (std::size_t j = 0; j < kSide; ++j) {
      best[j] = logits[i + j] > best[j] ? logits[i + j] : best[j];
    }
  }
  for (; i < logits.size(); ++i) best[0] = logits[i] > best[0] ? logits[i] : best[0];
  return *std::ranges::max_element(best);
}

std::optional<Token> largest(std::span<const float> logits, std::span<const std::uint32_t> mask) {
  if (!mask.empty()) return largest_allowed(logits, mask);
  const float best = largest_logit(logits);
  if (best == kNothing) return std::nullopt;
  return static_cast<Token>(std::ranges::find(logits, best) - logits.begin());
}

bool has_none(std::span<const float> logits) {
  std::uint32_t found = 0;
  for (const float logit : logits) found |= logit <= kMost ? 0U : 1U;
  return found != 0;
}

double exp_sum(std::span<const float> logits, float most) {
  double sum = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    sum += block_sum(block_of(logits, begin), most, 1);
  }
  return sum;
}

float log_sum_exp(std::span<const float> logits) {
  const float most = largest_logit(logits);
  if (most == kNothing) return 0;
  return most + static_cast<float>(std::log(exp_sum(logits, most)));
}

// The sums of blocks say in which one it is; that one alone is walked number by number.
std::size_t drawn_place(
    std::span<const float> logits, float most, float temperature, double chance
) {
  const float sharpness = 1 / temperature;
  std::vector<double> sums;
  sums.reserve(logits.size() / kBlock + 1);
  double whole = 0;
  for (std::size_t begin = 0; begin < logits.size(); begin += kBlock) {
    sums.push_back(block_sum(block_of(logits, begin), most, sharpness));
    whole += sums.back();
  }
  const double target = whole * chance;
  double sum = 0;
  double before = 0;
  std::size_t begin = 0;
  for (std::size_t block = 0; block < sums.size() && sum <= target; ++block) {
    if (sums[block] == 0) continue;
    before = sum;
    sum += sums[block];
    begin = block * kBlock;
  }
  sum = before;
  std::size_t out = begin;
  for (std::size_t i = 0; i < block_of(logits, begin).size() && sum <= target; ++i) {
    const float weight = exponential((logits[begin + i] - most) * sharpness);
    if (weight == 0) continue;
    sum += weight;
    out = begin + i;
  }
  return out;
}

std::vector<PlacedLogit> largest_of(std::span<const float> logits, std::size_t count) {
  count = std::min(count, logits.size());
  if (count == 0) return {};
  if (count > kHeapMax) return largest_by_parting(logits, count);
  std::vector<PlacedLogit> out;  // a heap with the smallest in front
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) out.push_back({i, logits[i]});
  std::ranges::make_heap(out, larger);
  const auto take = [&](std::size_t place) {
    if (!(logits[place] > out.front().logit)) return;
    std::ranges::pop_heap(out, larger);
    out.back() = {place, logits[place]};
    std::ranges::push_heap(out, larger);
  };
  std::size_t place = count;
  for (; place + kLook <= logits.size(); place += kLook) {
    if (!any_above(logits.subspan(place).first<kLook>(), out.front().logit)) continue;
    for (std::size_t i = 0; i < kLook; ++i) take(place + i);
  }
  for (; place < logits.size(); ++place) take(place);
  order_by_logit(out);
  return out;
}

void order_by_logit(std::vector<PlacedLogit>& places) { std::ranges::sort(places, larger); }

std::vector<PlacedLogit> at_least(std::span<const float> logits, float bound) {
  std::vector<PlacedLogit> out;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= bound) out.push_back({i, logits[i]});
  }
  return out;
}

std::vector<TokenLogprob> most_likely(
    std::span<const float> logits, float log_sum, std::size_t count
) {
  std::vector<TokenLogprob> out;
  for (const PlacedLogit& one : largest_of(logits, count)) {
    out.push_back({static_cast<Token>(one.place), one.logit - log_sum});
  }
  return out;
}

}  // namespace cortex::backend
