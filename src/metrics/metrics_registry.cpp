// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics_registry.h"

#include <utility>

#include "base/check.h"

namespace cortex::metrics {
namespace {

void write_value(
    Exposition& out, std::span<const Label> labels, const Counter& counter, double scale
) {
  out.sample(labels, static_cast<double>(counter.value()) * scale);
}
void write_value(Exposition& out, std::span<const Label> labels, const Gauge& gauge, double) {
  out.sample(labels, gauge.value());
}
void write_value(
    Exposition& out, std::span<const Label> labels, const Histogram& histogram, double
) {
  out.histogram(labels, histogram);
}

constexpr Type type_of(const Counter*) { return Type::kCounter; }
constexpr Type type_of(const Gauge*) { return Type::kGauge; }
constexpr Type type_of(const Histogram*) { return Type::kHistogram; }

}  // namespace

template <typename Value>
Value& Family<Value>::with(std::vector<std::string> values) {
  CHECK(values.size() == info_.labels.size(), "a value for every label");
  MutexLock lock(mutex_);
  auto found = series_.find(values);
  if (found == series_.end() && series_.size() >= series_max_) {
    overflow_.add();
    for (std::string& value : values) value = "other";
    found = series_.find(values);
  }
  if (found == series_.end()) found = series_.emplace(std::move(values), make_()).first;
  return *found->second;
}

template <typename Value>
void Family<Value>::write(Exposition& out) const {
  out.family(info_.name, type_of(static_cast<const Value*>(nullptr)), info_.help);
  MutexLock lock(mutex_);
  std::vector<Label> labels(info_.labels.size());
  for (const auto& [values, value] : series_) {
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = {info_.labels[i], values[i]};
    write_value(out, labels, *value, info_.scale);
  }
}

template <typename Value>
void Family<Value>::each(
    const std::function<void(const std::vector<std::string>& values, const Value& value)>& visit
) const {
  MutexLock lock(mutex_);
  for (const auto& [values, value] : series_) visit(values, *value);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

MetricsRegistry::MetricsRegistry(std::size_t series_max) : series_max_(series_max) {
  add_collector([this](Exposition& out) {
    out.family(
        "cortex_metrics_series_overflow_total",
        Type::kCounter,
        "Look-ups of a series that was not kept because its metric has too many; counted under "
        "\"other\"."
    );
    out.sample({}, static_cast<double>(overflow_.value()));
  });
}

template <typename Value>
Family<Value>& MetricsRegistry::keep(std::shared_ptr<Family<Value>> family) {
  Family<Value>& out = *family;
  add_collector([kept = std::move(family)](Exposition& text) { kept->write(text); });
  return out;
}

Family<Counter>& MetricsRegistry::counter(FamilyInfo info) {
  auto make = [] { return std::make_unique<Counter>(); };
  return keep(std::make_shared<Family<Counter>>(std::move(info), series_max_, overflow_, make));
}

Family<Gauge>& MetricsRegistry::gauge(FamilyInfo info) {
  auto make = [] { return std::make_unique<Gauge>(); };
  return keep(std::make_shared<Family<Gauge>>(std::move(info), series_max_, overflow_, make));
}

Family<Histogram>& MetricsRegistry::histogram(FamilyInfo info, std::span<const double> bounds) {
  auto make = [bounds] { return std::make_unique<Histogram>(bounds); };
  return keep(std::make_shared<Family<Histogram>>(std::move(info), series_max_, overflow_, make));
}

void MetricsRegistry::add_collector(Collector collector) {
  MutexLock lock(mutex_);
  collectors_.push_back(std::move(collector));
}

std::string MetricsRegistry::expose(Form form) const {
  std::vector<Collector> collectors;
  {
    MutexLock lock(mutex_);
    collectors = collectors_;
  }
  Exposition out(form);
  for (const Collector& collect : collectors) collect(out);
  return out.finish();
}

}  // namespace cortex::metrics
