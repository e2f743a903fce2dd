// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"
#include "metrics/metrics_registry.h"
#include "metrics/process_metrics.h"

namespace cortex::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kBounds[] = {1, 2.5, 10};

TEST(Counter, loses_nothing_when_many_threads_add) {
  Counter counter;
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back("adds", [&] {
        for (int n = 0; n < 10'000; ++n) counter.add();
      });
    }
  }
  EXPECT_EQ(counter.value(), 120'000u);
}

TEST(Histogram, puts_a_value_on_a_bound_into_that_bucket) {
  Histogram histogram(kBounds);
  for (const double value : {0.5, 1.0, 1.1, 10.0, 11.0}) histogram.observe(value);
  const auto reading = histogram.read();
  EXPECT_THAT(reading.cumulative, testing::ElementsAre(2u, 3u, 4u, 5u));
  EXPECT_DOUBLE_EQ(reading.sum, 23.6);
}

TEST(Histogram, keeps_sum_and_count_when_many_threads_observe) {
  Histogram histogram(duration_bounds());
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 12; ++i) {
      threads.emplace_back("observes", [&] {
        for (int n = 0; n < 5000; ++n) histogram.observe(0.5);
      });
    }
  }
  EXPECT_EQ(histogram.read().cumulative.back(), 60'000u);
  EXPECT_DOUBLE_EQ(histogram.read().sum, 30'000);
}

TEST(Exposition, writes_the_prometheus_form) {
  MetricsRegistry registry;
  registry.counter({"a_total", "Counts \\ a\nb.", {"model"}}).with({"x\"y\\z\n"}).add(3);
  registry.gauge({"g", "Gauge.", {}}).with({}).set(1.5);
  registry.histogram({"h", "Histogram.", {"m"}}, kBounds).with({"1"}).observe(2);
  const std::string text = registry.expose(Form::kPrometheus);
  EXPECT_THAT(
      text,
      HasSubstr("# HELP a_total Counts \\\\ a\\nb.\n# TYPE a_total counter\n"
                "a_total{model=\"x\\\"y\\\\z\\n\"} 3\n")
  );
  EXPECT_THAT(text, HasSubstr("# TYPE g gauge\ng 1.5\n"));
  EXPECT_THAT(
      text,
      HasSubstr("h_bucket{m=\"1\",le=\"1\"} 0\nh_bucket{m=\"1\",le=\"2.5\"} 1\n"
                "h_bucket{m=\"1\",le=\"10\"} 1\nh_bucket{m=\"1\",le=\"+Inf\"} 1\n"
                "h_sum{m=\"1\"} 2\nh_count{m=\"1\"} 1\n")
  );
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
}

TEST(Exposition, writes_the_openmetrics_form) {
  MetricsRegistry registry;
  registry.counter({"a_total", "A.", {}}).with({}).add();
  registry.counter({"nv_count", "N.", {}}).with({}).add();
  registry.histogram({"h", "H.", {}}, kBounds).with({}).observe(2);
  const std::string text = registry.expose(Form::kOpenMetrics);
  EXPECT_THAT(text, HasSubstr("# TYPE a counter\na_total 1\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE nv_count unknown\nnv_count 1\n"));
  EXPECT_THAT(text, HasSubstr("h_bucket{le=\"1.0\"} 0\n"));
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

TEST(Exposition, chooses_the_form_by_the_accept_header) {
  EXPECT_EQ(
      form_for("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), Form::kOpenMetrics
  );
  EXPECT_EQ(form_for(""), Form::kPrometheus);
}

TEST(Family, counts_label_sets_beyond_its_bound_in_one_series_named_other) {
  MetricsRegistry registry(2);
  auto& family = registry.counter({"c_total", "C.", {"model"}});
  for (int i = 0; i < 50; ++i) family.with({"m" + std::to_string(i)}).add();
  const std::string text = registry.expose(Form::kPrometheus);
  EXPECT_THAT(text, HasSubstr("c_total{model=\"m0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("c_total{model=\"other\"} 48\n"));
  EXPECT_THAT(text, HasSubstr("cortex_metrics_series_overflow_total 48\n"));
}

TEST(Family, gives_the_same_series_for_the_same_labels) {
  MetricsRegistry registry;
  auto& family = registry.gauge({"g", "G.", {"a", "b"}});
  EXPECT_EQ(&family.with({"1", "2"}), &family.with({"1", "2"}));
  EXPECT_NE(&family.with({"1", "2"}), &family.with({"2", "1"}));
}

TEST(ProcessMetrics, tells_cpu_memory_and_files) {
  MetricsRegistry registry;
  add_process_metrics(registry);
  const std::string text = registry.expose(Form::kPrometheus);
  for (const char* name :
       {"process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "nv_cpu_memory_total_bytes ",
        "nv_cpu_utilization "}) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(name)));
  }
}

}  // namespace
}  // namespace cortex::metrics
