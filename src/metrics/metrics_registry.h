// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "metrics/counter.h"
#include "metrics/exposition.h"
#include "metrics/histogram.h"

namespace cortex::metrics {

// What a family is. The texts are static.
struct FamilyInfo {
  std::string_view name;
  std::string_view help;
  std::vector<std::string_view> labels;
  double scale = 1;  // of counters: shown value per count, for sums that are kept in a finer unit
};

// All series of one name: one value per set of label values, at most `series_max` of them. What
// comes later is counted in one series whose labels all say "other", and in the overflow counter.
// Thread-safe; a series lives as long as its family, so hot paths keep the reference.
template <typename Value>
class Family {
 public:
  using Make = std::function<std::unique_ptr<Value>()>;

  Family(FamilyInfo info, std::size_t series_max, Counter& overflow, Make make)
      : info_(std::move(info)),
        series_max_(series_max),
        overflow_(overflow),
        make_(std::move(make)) {}

  // REQUIRES: as many values as labels. Takes a lock.
  [[nodiscard]] Value& with(std::vector<std::string> values);

  void write(Exposition& out) const;
  // Calls `visit` with the label values of every series and the series. Takes the same lock.
  void each(
      const std::function<void(const std::vector<std::string>& values, const Value& value)>& visit
  ) const;

 private:
  const FamilyInfo info_;
  const std::size_t series_max_;
  Counter& overflow_;
  const Make make_;
  mutable Mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<Value>> series_ GUARDED_BY(mutex_);
};

extern template class Family<Counter>;
extern template class Family<Gauge>;
extern template class Family<Histogram>;

// Everything that a scrape shows: families, and collectors that write what other rooms count for
// themselves. Made by app; lives as long as the server. Thread-safe; families and collectors are
// added at start.
class MetricsRegistry {
 public:
  using Collector = std::function<void(Exposition& out)>;

  explicit MetricsRegistry(std::size_t series_max = 1000);

  // References stay valid as long as the registry. Every family is exposed from the start, series
  // or not.
  [[nodiscard]] Family<Counter>& counter(FamilyInfo info);
  [[nodiscard]] Family<Gauge>& gauge(FamilyInfo info);
  [[nodiscard]] Family<Histogram>& histogram(FamilyInfo info, std::span<const double> bounds);

  // Called on every scrape, on the scraping thread. What it reads must outlive the registry.
  void add_collector(Collector collector);

  [[nodiscard]] std::string expose(Form form) const;

 private:
  template <typename Value>
  Family<Value>& keep(std::shared_ptr<Family<Value>> family);

  const std::size_t series_max_;
  Counter overflow_;
  mutable Mutex mutex_;
  std::vector<Collector> collectors_ GUARDED_BY(mutex_);
};

}  // namespace cortex::metrics
