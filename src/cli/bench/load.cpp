// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/load.h"

#include <algorithm>
#include <atomic>

#include "base/mutex.h"
#include "base/thread.h"

namespace cortex::cli::bench {
namespace {

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

void note(LoadResult& result, const Status& status, double latency) {
  if (status.ok()) {
    result.latencies.push_back(latency);
    return;
  }
  if (result.errors++ == 0) result.first_error = status.to_string();
}

// Runs `body` on every worker's thread with a result of its own, then puts the results together.
LoadResult run_workers(
    std::size_t workers, const std::function<void(std::size_t worker, LoadResult& result)>& body
) {
  std::vector<LoadResult> results(workers);
  const TimePoint start = steady_clock().now();
  {
    std::vector<Thread> threads;
    for (std::size_t i = 0; i < workers; ++i) {
      threads.emplace_back("load-" + std::to_string(i), [&, i] { body(i, results[i]); });
    }
  }
  LoadResult all;
  all.seconds = seconds_between(start, steady_clock().now());
  for (LoadResult& one : results) {
    all.latencies.insert(all.latencies.end(), one.latencies.begin(), one.latencies.end());
    if (all.errors == 0) all.first_error = one.first_error;
    all.errors += one.errors;
  }
  std::ranges::sort(all.latencies);
  return all;
}

void wait_until(TimePoint moment) {
  Mutex mutex;
  Condition never;
  MutexLock lock(mutex);
  while (steady_clock().now() < moment) static_cast<void>(never.wait_until(mutex, moment));
}

}  // namespace

LoadResult run_closed(std::size_t workers, Duration duration, const Call& call) {
  const TimePoint end = steady_clock().now() + duration;
  std::atomic<std::size_t> next{0};
  return run_workers(workers, [&](std::size_t worker, LoadResult& result) {
    for (TimePoint sent = steady_clock().now(); sent < end;) {
      const Status status = call(worker, next.fetch_add(1, std::memory_order_relaxed));
      const TimePoint done = steady_clock().now();
      note(result, status, seconds_between(sent, done));
      sent = done;
    }
  });
}

LoadResult run_open(std::size_t workers, const std::vector<double>& schedule, const Call& call) {
  const TimePoint start = steady_clock().now();
  std::atomic<std::size_t> next{0};
  return run_workers(workers, [&](std::size_t worker, LoadResult& result) {
    for (;;) {
      const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= schedule.size()) return;
      const TimePoint due =
          start +
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(schedule[index]));
      wait_until(due);
      const Status status = call(worker, index);
      note(result, status, seconds_between(due, steady_clock().now()));
    }
  });
}

}  // namespace cortex::cli::bench
