// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "base/thread.h"
#include "store/store.h"
#include "tracking/serving_metrics.h"

namespace cortex::tracking {

struct ServingRunsOptions {
  std::string workspace = "default";
  std::string experiment = "serving";
  std::string artifact_root;  // of the experiment, when it is made
  std::string server;         // tells the runs of several servers on one database apart
  Duration interval = std::chrono::minutes(1);
};

struct ServingRunsParts {
  // What was counted so far. Must not wait for anything that serves.
  std::function<std::vector<ServedCounts>()> read;
  std::span<const double> latency_bounds;  // of ServedCounts::latency, in seconds
  // Called in the transaction that makes the run of a registered version: links the two.
  std::function<Status(store::Transaction&, const ServedCounts&, const std::string& run_id)> link;
};

struct ServingRunsCounts {
  std::uint64_t written = 0;  // readings of a version
  std::uint64_t failed = 0;   // times that a write was refused: its readings go into the next one
};

// Writes what the versions that serve do as the metrics of MLflow runs, beside those of their
// training: one run for each version, in an experiment of their own. A thread of its own,
// "serving-runs", reads counters that are there anyway, at intervals: serving does nothing for it
// and never waits for it. A version that had no request since the last time costs no row; at most
// 1 000 versions have runs. A deleted experiment, or a deleted run, is left alone. Thread-safe.
class ServingRuns {
 public:
  // The store outlives it.
  ServingRuns(ServingRunsOptions options, ServingRunsParts parts, store::Store& store);
  ~ServingRuns();

  void start();
  // Writes a last time and finishes the runs. Idempotent.
  void stop();
  // One reading, now: what the thread does at intervals. For tests; not beside start().
  void write();

  [[nodiscard]] ServingRunsCounts counts() const { return {written_, failed_}; }

 private:
  using Key = std::pair<std::string, std::string>;  // model and version
  struct Version {
    ServedCounts last;
    std::string run_id;  // empty: not known yet
    std::int64_t step = 0;
    bool dropped = false;  // its run was deleted
  };
  struct Due {
    Key key;
    ServedCounts now;
    std::vector<Metric> metrics;
    Version result;
  };

  void run();
  void finish();
  [[nodiscard]] std::vector<Due> due(double seconds) const;
  void write_some(std::span<Due> due);
  [[nodiscard]] Status write_one(
      store::Transaction& transaction, std::int64_t experiment, Due& due
  );
  [[nodiscard]] Result<std::int64_t> find_experiment_id(store::Transaction& transaction) const;
  [[nodiscard]] Status find_or_make_run(
      store::Transaction& transaction, std::int64_t experiment, Due& due
  );

  const ServingRunsOptions options_;
  const ServingRunsParts parts_;
  store::Store& store_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> failed_{0};

  // The thread's.
  std::map<Key, Version> versions_;
  TimePoint read_at_;
  bool off_ = false;  // the experiment was deleted

  Mailbox<bool> end_{1};
  Thread thread_;
};

}  // namespace cortex::tracking
