// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace cortex::cli::bench {

// The value below which `share` (0 to 1) of the ascending values lie; 0 without values.
[[nodiscard]] double percentile(std::span<const double> ascending, double share);

// A mean with the interval that holds the true one in 95 of 100 cases.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};

// The geometric mean of positive ratios, by Student's t over their logarithms. One ratio has no
// interval: low and high are the mean then.
[[nodiscard]] Interval ratio_interval(std::span<const double> ratios);

// Arrivals of a Poisson process with `rate` per second, as offsets in seconds below `seconds`: the
// same for the same seed. Fixed before the load starts, so that a slow server cannot push later
// requests back.
[[nodiscard]] std::vector<double> arrival_schedule(double rate, double seconds, unsigned seed);

}  // namespace cortex::cli::bench
