// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tracking/entities.h"

namespace cortex::tracking {

// What a version that serves did since the process began.
struct ServedCounts {
  std::string model;
  std::string version;
  bool registered = false;  // a version of the registry
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;  // of the requests
  std::uint64_t rows = 0;
  std::uint64_t input_tokens = 0;
  // Answers that took at most as long as each bound, then all of them: cumulative.
  std::vector<std::uint64_t> latency;
};

// The value that a share `q` of the observations between two readings stayed below, in the unit of
// `bounds`: between two bounds by a straight line, above the last one that bound. NaN without an
// observation. REQUIRES: readings of one histogram, one more than bounds; `before` may be empty.
[[nodiscard]] double quantile(
    std::span<const double> bounds,
    std::span<const std::uint64_t> before,
    std::span<const std::uint64_t> now,
    double q
);

// What happened between two readings, as the metrics of a run; empty when nothing did. Seconds per
// reading; `bounds` are seconds. A version that is read for the first time has an empty `before`.
// Pure.
[[nodiscard]] std::vector<Metric> serving_metrics(
    const ServedCounts& before,
    const ServedCounts& now,
    std::span<const double> bounds,
    double seconds
);

}  // namespace cortex::tracking
