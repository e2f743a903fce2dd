// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace cortex::cli::bench {
namespace {

// Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; beyond it is nearly the
// normal one.
constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                               2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                               2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                               2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

}  // namespace

double percentile(std::span<const double> ascending, double share) {
  if (ascending.empty()) return 0;
  const auto rank = std::ceil(share * static_cast<double>(ascending.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return ascending[std::min(index, ascending.size() - 1)];
}

Interval ratio_interval(std::span<const double> ratios) {
  if (ratios.empty()) return {};
  const auto count = static_cast<double>(ratios.size());
  double sum = 0;
  for (const double ratio : ratios) sum += std::log(ratio);
  const double mean = sum / count;
  if (ratios.size() == 1) return {ratios[0], ratios[0], ratios[0]};
  double squares = 0;
  for (const double ratio : ratios) squares += std::pow(std::log(ratio) - mean, 2);
  const std::size_t freedom = ratios.size() - 1;
  const double t = freedom <= std::size(kStudent) ? kStudent[freedom - 1] : 1.96;
  const double half = t * std::sqrt(squares / (count - 1) / count);
  return {std::exp(mean), std::exp(mean - half), std::exp(mean + half)};
}

std::vector<double> arrival_schedule(double rate, double seconds, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<double> out;
  // Our own exponential draw: the library's is not the same everywhere.
  for (double at = 0;;) {
    const double uniform = (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53;
    at -= std::log(uniform) / rate;
    if (at >= seconds) return out;
    out.push_back(at);
  }
}

}  // namespace cortex::cli::bench
