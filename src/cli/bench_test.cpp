// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cmath>

#include <gtest/gtest.h>

#include "base/mutex.h"
#include "cli/bench/load.h"
#include "cli/bench/statistics.h"

namespace cortex::cli::bench {
namespace {

TEST(Statistics, takes_percentiles_by_rank) {
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(percentile(values, 0.5), 5);
  EXPECT_EQ(percentile(values, 0.9), 9);
  EXPECT_EQ(percentile(values, 0.99), 10);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Statistics, gives_ratios_their_geometric_mean_and_a_95_percent_interval) {
  const auto same = ratio_interval(std::vector<double>{2, 2, 2});
  EXPECT_NEAR(same.mean, 2, 1e-12);
  EXPECT_NEAR(same.high - same.low, 0, 1e-12);
  const auto spread = ratio_interval(std::vector<double>{0.5, 2});
  EXPECT_NEAR(spread.mean, 1, 1e-12);
  // t(1) * s / sqrt(2) with s = ln 2 * sqrt(2).
  EXPECT_NEAR(std::log(spread.high), 12.706 * std::log(2), 1e-6);
  EXPECT_EQ(ratio_interval(std::vector<double>{3}).low, 3);
}

TEST(Statistics, fixes_arrivals_in_advance_at_the_rate_that_was_asked) {
  const auto schedule = arrival_schedule(1000, 20, 1);
  EXPECT_NEAR(static_cast<double>(schedule.size()), 20'000, 600);
  EXPECT_TRUE(std::is_sorted(schedule.begin(), schedule.end()));
  EXPECT_LT(schedule.back(), 20);
  EXPECT_EQ(schedule, arrival_schedule(1000, 20, 1));
  EXPECT_NE(schedule, arrival_schedule(1000, 20, 2));
}

TEST(OpenLoop, counts_the_wait_behind_a_stalled_request_as_latency) {
  // Five requests are due at once, one worker: whatever the first costs, the others waited for it.
  const std::vector<double> schedule(5, 0.0);
  Mutex mutex;
  Condition never;
  const auto result = run_open(1, schedule, [&](std::size_t, std::size_t index) -> Status {
    const TimePoint until = steady_clock().now() + std::chrono::milliseconds(20);
    MutexLock lock(mutex);
    while (index == 0 && steady_clock().now() < until)
      static_cast<void>(never.wait_until(mutex, until));
    return {};
  });
  ASSERT_EQ(result.latencies.size(), 5u);
  EXPECT_GE(result.latencies.front(), 0.02);
}

TEST(ClosedLoop, counts_errors_beside_answers_and_keeps_the_first_text) {
  std::atomic<int> calls{0};
  const auto result =
      run_closed(2, std::chrono::milliseconds(20), [&](std::size_t worker, std::size_t) {
        EXPECT_LT(worker, 2u);
        return ++calls % 2 == 0 ? Status() : unavailable("odd");
      });
  EXPECT_EQ(result.latencies.size() + result.errors, static_cast<std::size_t>(calls.load()));
  EXPECT_GT(result.errors, 0u);
  EXPECT_EQ(result.first_error, "UNAVAILABLE: odd");
}

}  // namespace
}  // namespace cortex::cli::bench
