// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/pooling.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace cortex::backend {

void pool_mean(std::span<const float> states, std::span<float> out) {
  const std::size_t width = out.size();
  CHECK(width > 0 && !states.empty() && states.size() % width == 0, "states are rows of the width");
  std::copy_n(states.begin(), width, out.begin());
  for (std::size_t at = width; at < states.size(); at += width) {
    const float* const row = states.data() + at;
    for (std::size_t i = 0; i < width; ++i) out[i] += row[i];
  }
  const std::size_t rows = states.size() / width;
  const float scale = 1.0f / static_cast<float>(rows);
  for (float& value : out) value *= scale;
}

void normalize(std::span<float> vector) {
  double sum = 0;
  for (const float value : vector) sum += static_cast<double>(value) * value;
  if (sum <= 0) return;
  const auto scale = static_cast<float>(1.0 / std::sqrt(sum));
  for (float& value : vector) value *= scale;
}

}  // namespace cortex::backend
