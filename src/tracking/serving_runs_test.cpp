// SPDX-License-Identifier: Apache-2.0
#include "tracking/serving_runs.h"

#include <array>
#include <cmath>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tracking/metric_history.h"
#include "tracking/runs.h"
#include "tracking/search.h"
#include "tracking/tracking_suite.h"

namespace cortex::tracking {
namespace {

constexpr std::array<double, 3> kBounds{0.01, 0.1, 1.0};

TEST(Quantile, lies_on_a_line_between_two_bounds) {
  const std::vector<std::uint64_t> none;
  const std::vector<std::uint64_t> now{0, 10, 10, 10};
  EXPECT_DOUBLE_EQ(quantile(kBounds, none, now, 0.5), 0.055);
  EXPECT_DOUBLE_EQ(quantile(kBounds, none, now, 1.0), 0.1);
  EXPECT_DOUBLE_EQ(quantile(kBounds, none, std::vector<std::uint64_t>{4, 4, 8, 8}, 0.5), 0.01);
  EXPECT_DOUBLE_EQ(quantile(kBounds, none, std::vector<std::uint64_t>{4, 4, 8, 8}, 0.75), 0.55);
}

TEST(Quantile, counts_only_what_came_between_the_readings) {
  const std::vector<std::uint64_t> before{100, 100, 100, 100};
  const std::vector<std::uint64_t> now{100, 100, 110, 110};
  EXPECT_DOUBLE_EQ(quantile(kBounds, before, now, 0.5), 0.55);
}

TEST(Quantile, is_the_last_bound_above_it_and_no_number_of_nothing) {
  const std::vector<std::uint64_t> none;
  EXPECT_DOUBLE_EQ(quantile(kBounds, none, std::vector<std::uint64_t>{0, 0, 0, 5}, 0.5), 1.0);
  EXPECT_TRUE(std::isnan(quantile(kBounds, none, std::vector<std::uint64_t>{0, 0, 0, 0}, 0.5)));
  EXPECT_TRUE(std::isnan(quantile(kBounds, none, none, 0.5)));
}

ServedCounts served(std::uint64_t requests, const std::string& version = "3") {
  ServedCounts out;
  out.model = "it's";
  out.version = version;
  out.registered = true;
  out.requests = requests;
  out.failures = requests / 10;
  out.rows = 2 * requests;
  out.latency = {requests, requests, requests, requests};
  return out;
}

class ServingRunsTest : public TrackingTest {
 protected:
  void SetUp() override {
    TrackingTest::SetUp();
    if (IsSkipped()) return;
    begin();
  }
  // As a process does: it knows nothing of what was written before.
  void begin() {
    ServingRunsOptions options;
    options.server = "host:8000";
    options.interval = std::chrono::hours(1);
    ServingRunsParts parts;
    parts.read = [this] { return now_; };
    parts.latency_bounds = kBounds;
    parts.link = [this](store::Transaction&, const ServedCounts& counts, const std::string& run) {
      linked_[counts.version] = run;
      return Status();
    };
    runs_.emplace(options, parts, **store_);
  }
  std::vector<tracking::Run> all_runs(ViewType view = ViewType::kActiveOnly) {
    const auto page = read([&](store::Transaction& t) -> Result<RunPage> {
      const auto experiment = find_experiment_by_name(t, "default", "serving");
      if (experiment.status().code() == Code::kNotFound) return RunPage{};
      RunQuery query;
      query.experiments = {experiment->id};
      query.view = view;
      return search_runs(t, "default", query);
    });
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    return page->runs;
  }
  static std::optional<Metric> metric(const tracking::Run& run, const std::string& key) {
    for (const Metric& metric : run.metrics) {
      if (metric.key == key) return metric;
    }
    return std::nullopt;
  }

  std::vector<ServedCounts> now_;
  std::map<std::string, std::string> linked_;
  std::optional<ServingRuns> runs_;
};

TEST_P(ServingRunsTest, writes_what_happened_since_the_last_time_and_links_the_run) {
  runs_->write();
  EXPECT_TRUE(all_runs().empty());
  now_ = {served(100), served(0, "4")};
  runs_->write();
  now_ = {served(150), served(0, "4")};
  runs_->write();
  runs_->write();
  const auto all = all_runs();
  ASSERT_EQ(all.size(), 1U);
  const tracking::Run& run = all[0];
  EXPECT_EQ(run.info.name, "it's version 3");
  EXPECT_EQ(run.info.status, RunStatus::kRunning);
  EXPECT_EQ(metric(run, "serving.requests")->value, 50);
  EXPECT_EQ(metric(run, "serving.requests")->step, 1);
  EXPECT_EQ(metric(run, "serving.failures")->value, 5);
  EXPECT_EQ(metric(run, "serving.rows")->value, 100);
  EXPECT_DOUBLE_EQ(metric(run, "serving.latency_ms_p50")->value, 5);
  EXPECT_FALSE(metric(run, "serving.input_tokens").has_value());
  EXPECT_EQ(linked_, (std::map<std::string, std::string>{{"3", run.info.run_id}}));
  EXPECT_EQ(runs_->counts().written, 2U);
}

TEST_P(ServingRunsTest, goes_on_with_the_same_run_after_a_restart) {
  now_ = {served(100)};
  runs_->start();
  runs_->stop();
  ASSERT_EQ(all_runs().size(), 1U);
  EXPECT_EQ(all_runs()[0].info.status, RunStatus::kFinished);
  begin();
  now_ = {served(7)};
  runs_->write();
  const auto all = all_runs();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].info.status, RunStatus::kRunning);
  EXPECT_EQ(metric(all[0], "serving.requests")->value, 7);
  EXPECT_EQ(metric(all[0], "serving.requests")->step, 1);
}

TEST_P(ServingRunsTest, leaves_a_deleted_run_and_a_deleted_experiment_alone) {
  now_ = {served(100), served(100, "4")};
  runs_->write();
  ASSERT_EQ(all_runs().size(), 2U);
  const RunInfo gone = all_runs()[0].info;
  write([&](store::Transaction& t) { return set_run_active(t, "default", gone.run_id, false, 1); });
  now_ = {served(200), served(200, "4")};
  runs_->write();
  runs_->write();
  ASSERT_EQ(all_runs().size(), 1U);
  EXPECT_EQ(metric(all_runs()[0], "serving.requests")->step, 1);
  EXPECT_EQ(all_runs(ViewType::kDeletedOnly).size(), 1U);
  write([&](store::Transaction& t) {
    return set_experiment_active(t, "default", gone.experiment, false, 2);
  });
  now_ = {served(300), served(300, "4")};
  runs_->write();
  EXPECT_EQ(runs_->counts().failed, 0U);
  write([&](store::Transaction& t) {
    return set_experiment_active(t, "default", gone.experiment, true, 3);
  });
  const auto last = all_runs();
  for (const tracking::Run& run : last) {
    const auto requests = metric(run, "serving.requests");
    EXPECT_EQ(requests->step, run.info.run_id == gone.run_id ? 0 : 1);
  }
}

TEST_P(ServingRunsTest, writes_many_versions_and_no_more_than_its_limit) {
  for (int i = 1; i <= 1'050; ++i) now_.push_back(served(10, std::to_string(i)));
  runs_->write();
  EXPECT_EQ(runs_->counts().written, 1'000U);
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ServingRunsTest,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::tracking
