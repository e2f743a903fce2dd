// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/histogram.h"

namespace cortex::metrics {

enum class Type : std::uint8_t { kCounter, kGauge, kHistogram };

// Prometheus' text form 0.0.4, or OpenMetrics 1.0.
enum class Form : std::uint8_t { kPrometheus, kOpenMetrics };

// The form that an Accept header asks for; Prometheus' own when it asks for none.
[[nodiscard]] Form form_for(std::string_view accept);
[[nodiscard]] std::string_view content_type(Form form);

struct Label {
  std::string_view name;
  std::string_view value;
};

// Writes one exposition. Families come whole and once each: family(), then its samples. Thread:
// one.
class Exposition {
 public:
  explicit Exposition(Form form) : form_(form) {}

  // Names match [a-zA-Z_:][a-zA-Z0-9_:]*; they are ours, so this is not checked. OpenMetrics wants
  // counters to end in _total: those that do not (Triton's) are shown there as "unknown", which
  // keeps their names.
  void family(std::string_view name, Type type, std::string_view help);
  void sample(std::span<const Label> labels, double value);
  void sample(std::initializer_list<Label> labels, double value) {
    sample(std::span(labels.begin(), labels.size()), value);
  }
  void histogram(std::span<const Label> labels, const Histogram& histogram) {
    this->histogram(labels, histogram.bounds(), histogram.read());
  }
  // For what others counted. REQUIRES: one more cumulative count than bounds.
  void histogram(
      std::span<const Label> labels,
      std::span<const double> bounds,
      const Histogram::Reading& reading
  );

  // The whole text; the writer is empty afterwards.
  [[nodiscard]] std::string finish();

 private:
  void line(
      std::string_view suffix, std::span<const Label> labels, std::string_view le, double value
  );

  Form form_;
  std::string name_;
  std::string out_;
};

}  // namespace cortex::metrics
