// SPDX-License-Identifier: Apache-2.0
#include "tracking/serving_metrics.h"

#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace cortex::tracking {
namespace {

constexpr std::array<std::pair<std::string_view, double>, 3> kQuantiles{
    {{"serving.latency_ms_p50", 0.5},
     {"serving.latency_ms_p95", 0.95},
     {"serving.latency_ms_p99", 0.99}}
};

Metric metric(std::string_view key, double value) {
  Metric out;
  out.key = key;
  out.value = value;
  return out;
}

}  // namespace

double quantile(
    std::span<const double> bounds,
    std::span<const std::uint64_t> before,
    std::span<const std::uint64_t> now,
    double q
) {
  const auto count = [&](std::size_t i) {
    return static_cast<double>(now[i] - (before.empty() ? 0 : before[i]));
  };
  const double all = now.size() == bounds.size() + 1 ? count(bounds.size()) : 0;
  if (all == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * all;
  double below = 0;
  double lower = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const double here = count(i);
    if (here >= rank && here > below) {
      return lower + (bounds[i] - lower) * (rank - below) / (here - below);
    }
    below = here;
    lower = bounds[i];
  }
  return bounds.empty() ? std::numeric_limits<double>::quiet_NaN() : bounds.back();
}

std::vector<Metric> serving_metrics(
    const ServedCounts& before,
    const ServedCounts& now,
    std::span<const double> bounds,
    double seconds
) {
  if (now.requests == before.requests) return {};
  const auto requests = static_cast<double>(now.requests - before.requests);
  const auto failures = static_cast<double>(now.failures - before.failures);
  std::vector<Metric> out{
      metric("serving.requests", requests),
      metric("serving.failures", failures),
      metric("serving.failure_rate", failures / requests),
      metric("serving.rows", static_cast<double>(now.rows - before.rows)),
  };
  if (seconds > 0) out.push_back(metric("serving.requests_per_second", requests / seconds));
  if (now.input_tokens != before.input_tokens) {
    const auto tokens = static_cast<double>(now.input_tokens - before.input_tokens);
    out.push_back(metric("serving.input_tokens", tokens));
  }
  for (const auto& [key, q] : kQuantiles) {
    const double value = quantile(bounds, before.latency, now.latency, q);
    if (!std::isnan(value)) out.push_back(metric(key, value * 1000));
  }
  return out;
}

}  // namespace cortex::tracking
