// SPDX-License-Identifier: Apache-2.0
#include "tracking/serving_runs.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/artifact_digest.h"
#include "tracking/experiments.h"
#include "tracking/runs.h"
#include "tracking/search.h"

namespace cortex::tracking {
namespace {

constexpr std::size_t kVersionsMax = 1'000;
// In one transaction.
constexpr std::size_t kVersionsAtOnce = 50;

// What finds the run of a version again: plain digits, whatever the names hold.
std::string mark_of(const std::string& server, const ServedCounts& served) {
  store::Digest digest;
  for (const std::string& part : {server, served.model, served.version}) {
    const std::string framed = std::to_string(part.size()) + " " + part;
    digest.add(std::as_bytes(std::span<const char>(framed)));
  }
  return digest.finish();
}

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

ServingRuns::ServingRuns(ServingRunsOptions options, ServingRunsParts parts, store::Store& store)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      store_(store),
      read_at_(steady_clock().now()) {}

ServingRuns::~ServingRuns() { stop(); }

void ServingRuns::start() {
  thread_ = Thread("serving-runs", [this] { run(); });
}

void ServingRuns::stop() {
  end_.close();
  thread_.join();
}

void ServingRuns::run() {
  std::vector<bool> none;
  while (end_.take_all(none, steady_clock().now() + options_.interval)) write();
  write();
  finish();
}

void ServingRuns::write() {
  if (off_) return;
  const TimePoint now = steady_clock().now();
  std::vector<Due> all = due(seconds_between(read_at_, now));
  read_at_ = now;
  for (std::size_t i = 0; i < all.size(); i += kVersionsAtOnce) {
    write_some(std::span(all).subspan(i, std::min(kVersionsAtOnce, all.size() - i)));
  }
}

std::vector<ServingRuns::Due> ServingRuns::due(double seconds) const {
  std::vector<Due> out;
  for (ServedCounts& now : parts_.read()) {
    Due one;
    one.key = {now.model, now.version};
    const auto known = versions_.find(one.key);
    if (known != versions_.end()) one.result = known->second;
    if (known == versions_.end() && versions_.size() + out.size() >= kVersionsMax) continue;
    if (one.result.dropped) continue;
    one.metrics = serving_metrics(one.result.last, now, parts_.latency_bounds, seconds);
    if (one.metrics.empty()) continue;
    one.now = std::move(now);
    out.push_back(std::move(one));
  }
  return out;
}

// What is not written is in the next reading: counters only grow.
void ServingRuns::write_some(std::span<Due> due) {
  const std::vector<Due> before(due.begin(), due.end());
  bool deleted = false;
  const Status status = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    std::ranges::copy(before, due.begin());
    CORTEX_ASSIGN_OR_RETURN(const std::int64_t experiment, find_experiment_id(transaction));
    deleted = experiment < 0;
    if (deleted) return {};
    for (Due& one : due) CORTEX_RETURN_IF_ERROR(write_one(transaction, experiment, one));
    return {};
  });
  if (!status.ok()) {
    ++failed_;
    return log::warning("serving runs are not written", {{"reason", status.to_string()}});
  }
  off_ = deleted;
  if (off_) return log::info("serving runs end: their experiment was deleted");
  for (Due& one : due) {
    one.result.last = std::move(one.now);
    versions_[one.key] = std::move(one.result);
    ++written_;
  }
}

// Less than 0: it was deleted.
Result<std::int64_t> ServingRuns::find_experiment_id(store::Transaction& transaction) const {
  const auto found = find_experiment_by_name(transaction, options_.workspace, options_.experiment);
  if (found.ok()) return found->active ? found->id : -1;
  if (found.status().code() != Code::kNotFound) return found.status();
  NewExperiment experiment;
  experiment.name = options_.experiment;
  experiment.artifact_root = options_.artifact_root;
  return create_experiment(transaction, options_.workspace, experiment, unix_milliseconds());
}

Status ServingRuns::find_or_make_run(
    store::Transaction& transaction, std::int64_t experiment, Due& due
) {
  const std::string mark = mark_of(options_.server, due.now);
  RunQuery query;
  query.experiments = {experiment};
  query.filter = "tags.`cortex.served` = '" + mark + "'";
  query.view = ViewType::kAll;
  query.limit = 1;
  CORTEX_ASSIGN_OR_RETURN(const RunPage page, search_runs(transaction, options_.workspace, query));
  if (!page.runs.empty()) {
    const Run& run = page.runs.front();
    due.result.run_id = run.info.run_id;
    due.result.dropped = !run.info.active;
    for (const Metric& metric : run.metrics) {
      due.result.step = std::max(due.result.step, metric.step + 1);
    }
    if (due.result.dropped || run.info.status == RunStatus::kRunning) return {};
    RunUpdate update;
    update.status = RunStatus::kRunning;
    return update_run(transaction, options_.workspace, due.result.run_id, update).status();
  }
  NewRun run;
  run.experiment = experiment;
  run.name = due.now.model + " version " + due.now.version;
  run.start_time = unix_milliseconds();
  run.tags = {
      {"mlflow.source.name", "cortex"},
      {"cortex.served", mark},
      {"cortex.server", options_.server},
      {"cortex.model", due.now.model},
      {"cortex.model_version", due.now.version}
  };
  CORTEX_ASSIGN_OR_RETURN(const Run made, create_run(transaction, options_.workspace, run));
  due.result.run_id = made.info.run_id;
  if (!due.now.registered || !parts_.link) return {};
  return parts_.link(transaction, due.now, due.result.run_id);
}

Status ServingRuns::write_one(store::Transaction& transaction, std::int64_t experiment, Due& due) {
  if (due.result.run_id.empty()) {
    CORTEX_RETURN_IF_ERROR(find_or_make_run(transaction, experiment, due));
  }
  if (due.result.dropped) return {};
  // It may have been deleted since.
  CORTEX_ASSIGN_OR_RETURN(
      const RunInfo info, find_run_info(transaction, options_.workspace, due.result.run_id)
  );
  due.result.dropped = !info.active;
  if (due.result.dropped) return {};
  LogBatch batch;
  batch.metrics = due.metrics;
  for (Metric& metric : batch.metrics) {
    metric.timestamp = unix_milliseconds();
    metric.step = due.result.step;
  }
  ++due.result.step;
  CORTEX_RETURN_IF_ERROR(check_batch(batch));
  return log_batch(transaction, options_.workspace, due.result.run_id, batch);
}

void ServingRuns::finish() {
  if (off_ || versions_.empty()) return;
  const Status status = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    for (const auto& [key, version] : versions_) {
      if (version.run_id.empty() || version.dropped) continue;
      RunUpdate update;
      update.status = RunStatus::kFinished;
      update.end_time = unix_milliseconds();
      const auto updated = update_run(transaction, options_.workspace, version.run_id, update);
      // Somebody deleted it meanwhile.
      if (!updated.ok() && updated.status().code() != Code::kNotFound &&
          updated.status().code() != Code::kInvalidArgument) {
        return updated.status();
      }
    }
    return {};
  });
  if (!status.ok()) log::warning("serving runs are not finished", {{"reason", status.to_string()}});
}

}  // namespace cortex::tracking
