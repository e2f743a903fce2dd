// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "metrics/shard.h"

namespace cortex::metrics {

// How often values fell below each bound. The bounds are ascending and fixed; the last bucket,
// +Inf, is implied. Thread-safe; observe() is a search over the bounds and two relaxed additions on
// the thread's own cache lines.
class Histogram {
 public:
  // `bounds` must outlive the histogram: they are static tables.
  explicit Histogram(std::span<const double> bounds);

  void observe(double value);

  struct Reading {
    std::vector<std::uint64_t> cumulative;  // one per bound, then the total
    double sum = 0;
  };
  // Values that arrive meanwhile may be in the sum and not yet in a bucket; the buckets agree among
  // themselves.
  [[nodiscard]] Reading read() const;
  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }

 private:
  // A shard's buckets, then its sum, on cache lines of their own.
  struct alignas(kCacheLine) Line {
    std::atomic<std::uint64_t> cells[kCacheLine / sizeof(std::uint64_t)];
  };
  [[nodiscard]] std::atomic<std::uint64_t>& cell(std::size_t shard, std::size_t index) const;

  std::span<const double> bounds_;
  std::size_t lines_per_shard_;
  std::unique_ptr<Line[]> lines_;
};

// Bounds for durations in seconds, 50 µs to 60 s: what an inference server adds lies at the lower
// end, what large models take at the upper one.
[[nodiscard]] std::span<const double> duration_bounds();
// 1, 2, 4, … 512.
[[nodiscard]] std::span<const double> size_bounds();
// 10 ms to 10 min.
[[nodiscard]] std::span<const double> load_bounds();

}  // namespace cortex::metrics
