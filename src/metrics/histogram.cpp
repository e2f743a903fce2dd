// SPDX-License-Identifier: Apache-2.0
#include "metrics/histogram.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace cortex::metrics {
namespace {

constexpr std::size_t kCellsPerLine = kCacheLine / sizeof(std::uint64_t);
constexpr double kDurationBounds[] = {
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60
};
constexpr double kSizeBounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
constexpr double kLoadBounds[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600};

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds),
      lines_per_shard_((bounds.size() + 2 + kCellsPerLine - 1) / kCellsPerLine),
      lines_(std::make_unique<Line[]>(lines_per_shard_ * kShards)) {
  CHECK(std::ranges::is_sorted(bounds), "a histogram's bounds ascend");
}

std::atomic<std::uint64_t>& Histogram::cell(std::size_t shard, std::size_t index) const {
  Line& line = lines_[shard * lines_per_shard_ + index / kCellsPerLine];
  return line.cells[index % kCellsPerLine];
}

void Histogram::observe(double value) {
  const auto bucket =
      static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
  const std::size_t shard = shard_index();
  cell(shard, bucket).fetch_add(1, std::memory_order_relaxed);
  // The sum is a double kept as bits: the shard is nearly always this thread's alone, so the loop
  // runs once.
  auto& sum = cell(shard, bounds_.size() + 1);
  std::uint64_t seen = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(
      seen,
      std::bit_cast<std::uint64_t>(std::bit_cast<double>(seen) + value),
      std::memory_order_relaxed
  )) {
  }
}

Histogram::Reading Histogram::read() const {
  Reading out;
  out.cumulative.resize(bounds_.size() + 1);
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
      out.cumulative[i] += cell(shard, i).load(std::memory_order_relaxed);
    }
    out.sum +=
        std::bit_cast<double>(cell(shard, bounds_.size() + 1).load(std::memory_order_relaxed));
  }
  for (std::size_t i = 1; i < out.cumulative.size(); ++i)
    out.cumulative[i] += out.cumulative[i - 1];
  return out;
}

std::span<const double> duration_bounds() { return kDurationBounds; }
std::span<const double> size_bounds() { return kSizeBounds; }
std::span<const double> load_bounds() { return kLoadBounds; }

}  // namespace cortex::metrics
