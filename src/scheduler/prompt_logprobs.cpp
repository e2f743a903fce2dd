// SPDX-License-Identifier: Apache-2.0
#include "scheduler/prompt_logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace cortex::scheduler {

SampledToken logprob_of(std::span<const float> logits, Token token, std::size_t top) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - highest));
  const double norm = static_cast<double>(highest) + std::log(sum);
  const auto logprob = [&](Token which) {
    return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(which)]) - norm);
  };
  SampledToken out;
  out.token = token;
  out.logprob = logprob(token);
  top = std::min(top, logits.size());
  if (top == 0) return out;
  std::vector<Token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(
      order.begin(),
      order.begin() + static_cast<std::ptrdiff_t>(top),
      order.end(),
      [&](Token a, Token b) {
        const float left = logits[static_cast<std::size_t>(a)];
        const float right = logits[static_cast<std::size_t>(b)];
        return left != right ? left > right : a < b;
      }
  );
  for (std::size_t i = 0; i < top; ++i) out.top.push_back({order[i], logprob(order[i])});
  return out;
}

}  // namespace cortex::scheduler
