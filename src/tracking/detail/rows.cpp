// SPDX-License-Identifier: Apache-2.0
#include "tracking/detail/rows.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace cortex::tracking::detail {
namespace {

using store::Rows;
using store::Transaction;
using store::Value;

constexpr std::size_t kChunk = 500;
// Of one logged model; more are kept and not listed with it.
constexpr std::string_view kModelMetricsLimit = "10000";

// "$1, $2, …" for `count` values, from $`first`.
std::string places(std::size_t count, std::size_t first = 1) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out.append(", ");
    out.append("$").append(std::to_string(first + i));
  }
  return out;
}

// How many places a list of `count` numbers gets: a few sizes, so that there are few statements.
std::size_t padded(std::size_t count) {
  std::size_t size = 1;
  while (size < count) size *= 4;
  return std::min(size, kChunk);
}

// Calls `read(list)` for chunks of the numbers, each padded with its last one.
template <typename Read>
Status for_each_chunk(std::span<const std::int64_t> numbers, Read&& read) {
  while (!numbers.empty()) {
    const std::size_t count = std::min(numbers.size(), kChunk);
    std::vector<Value> list(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(count));
    list.resize(padded(count), list.back());
    CORTEX_RETURN_IF_ERROR(read(list));
    numbers = numbers.subspan(count);
  }
  return {};
}

// Where the thing of a number stands.
class Places {
 public:
  template <typename Stored>
  explicit Places(const std::vector<Stored>& stored) {
    numbers_.reserve(stored.size());
    for (const Stored& one : stored) {
      index_.emplace(one.number, numbers_.size());
      numbers_.push_back(one.number);
    }
  }
  [[nodiscard]] std::size_t of(std::int64_t number) const { return index_.at(number); }
  [[nodiscard]] std::span<const std::int64_t> numbers() const { return numbers_; }

 private:
  std::unordered_map<std::int64_t, std::size_t> index_;
  std::vector<std::int64_t> numbers_;
};

// Rows of (owner, kind, key, value): what hangs on runs as plain text.
enum Kind : std::int64_t { kParamRow, kTagRow, kInputRow, kOutputRow };

void add_attribute(Run& run, const Rows& rows, std::size_t row) {
  switch (rows.integer(row, 1)) {
    case kParamRow:
      run.params.push_back({rows.text(row, 2), rows.text(row, 3)});
      break;
    case kTagRow:
      run.tags.push_back({rows.text(row, 2), rows.text(row, 3)});
      break;
    case kInputRow:
      run.model_inputs.push_back(rows.text(row, 2));
      break;
    default:
      run.model_outputs.push_back(
          {rows.text(row, 2), std::strtoll(rows.text(row, 3).c_str(), nullptr, 10)}
      );
  }
}

Status read_attributes(
    Transaction& transaction,
    std::span<const Value> list,
    const Places& places_of,
    std::vector<Run>& runs
) {
  const std::string in = "run IN (" + places(list.size()) + ")";
  const std::string sql =
      "SELECT run, 0, key, value FROM run_param WHERE " + in +
      " UNION ALL SELECT run, 1, key, value FROM run_tag WHERE " + in +
      " UNION ALL SELECT run, CASE WHEN direction = 'input' THEN 2 ELSE 3 END, model_id, "
      "CAST(step AS TEXT) FROM run_model WHERE " +
      in + " ORDER BY 1, 2, 3";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, list));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    add_attribute(runs[places_of.of(rows.integer(row, 0))], rows, row);
  }
  return {};
}

Status read_latest_metrics(
    Transaction& transaction,
    std::span<const Value> list,
    const Places& places_of,
    std::vector<Run>& runs
) {
  const std::string sql =
      "SELECT run, key, at, step, value, is_nan FROM latest_metric WHERE run IN (" +
      places(list.size()) + ") ORDER BY run, key";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, list));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    runs[places_of.of(rows.integer(row, 0))].metrics.push_back(metric_of(rows, row, 1));
  }
  return {};
}

// One row for each tag of a dataset, or one without a tag.
Status read_datasets(
    Transaction& transaction,
    std::span<const Value> list,
    const Places& places_of,
    std::vector<Run>& runs
) {
  const std::string sql =
      "SELECT rd.run, rd.dataset, d.name, d.digest, d.source_type, d.source, d.schema_text, "
      "d.profile, t.key, t.value FROM run_dataset rd JOIN dataset d ON d.number = rd.dataset "
      "LEFT JOIN run_dataset_tag t ON t.run = rd.run AND t.dataset = rd.dataset "
      "WHERE rd.run IN (" +
      places(list.size()) + ") ORDER BY rd.run, rd.dataset, t.key";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, list));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Run& run = runs[places_of.of(rows.integer(row, 0))];
    const bool same = row > 0 && rows.integer(row - 1, 0) == rows.integer(row, 0) &&
                      rows.integer(row - 1, 1) == rows.integer(row, 1);
    if (!same) {
      run.datasets.push_back(
          {{rows.text(row, 2),
            rows.text(row, 3),
            rows.text(row, 4),
            rows.text(row, 5),
            rows.text(row, 6),
            rows.text(row, 7)},
           {}}
      );
    }
    if (!rows.is_null(row, 8)) {
      run.datasets.back().tags.push_back({rows.text(row, 8), rows.text(row, 9)});
    }
  }
  return {};
}

Status read_model_attributes(
    Transaction& transaction,
    std::span<const Value> list,
    const Places& places_of,
    std::vector<LoggedModel>& models
) {
  const std::string in = "model IN (" + places(list.size()) + ")";
  const std::string sql = "SELECT model, 0, key, value FROM logged_model_param WHERE " + in +
                          " UNION ALL SELECT model, 1, key, value FROM logged_model_tag WHERE " +
                          in + " ORDER BY 1, 2, 3";
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, list));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    LoggedModel& model = models[places_of.of(rows.integer(row, 0))];
    std::vector<Tag>& into = rows.integer(row, 1) == kParamRow ? model.params : model.tags;
    into.push_back({rows.text(row, 2), rows.text(row, 3)});
  }
  return {};
}

Status read_model_metrics(Transaction& transaction, std::int64_t number, LoggedModel& model) {
  static const std::string sql =
      "SELECT key, at, step, value, is_nan, run_id, dataset_name, dataset_digest "
      "FROM logged_model_metric WHERE model = $1 "
      "ORDER BY key, step, at, value, is_nan, run_id, dataset_name, dataset_digest LIMIT " +
      std::string(kModelMetricsLimit);
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, {number}));
  model.metrics.reserve(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Metric metric = metric_of(rows, row, 0);
    metric.run_id = rows.text(row, 5);
    metric.dataset_name = rows.text(row, 6);
    metric.dataset_digest = rows.text(row, 7);
    metric.model_id = model.model_id;
    model.metrics.push_back(std::move(metric));
  }
  return {};
}

}  // namespace

Experiment experiment_of(const Rows& rows, std::size_t row) {
  Experiment experiment;
  experiment.id = rows.integer(row, 0);
  experiment.name = rows.text(row, 1);
  experiment.artifact_location = rows.text(row, 2);
  experiment.active = rows.text(row, 3) == "active";
  experiment.created_at = rows.integer(row, 4);
  experiment.updated_at = rows.integer(row, 5);
  return experiment;
}

StoredRun run_of(const Rows& rows, std::size_t row) {
  StoredRun run;
  run.number = rows.integer(row, 0);
  run.info.run_id = rows.text(row, 1);
  run.info.experiment = rows.integer(row, 2);
  run.info.name = rows.text(row, 3);
  run.info.user_id = rows.text(row, 4);
  run.info.status = parse_run_status(rows.text(row, 5)).value_or(RunStatus::kRunning);
  run.info.start_time = rows.integer(row, 6);
  if (!rows.is_null(row, 7)) run.info.end_time = rows.integer(row, 7);
  run.info.artifact_uri = rows.text(row, 8);
  run.info.active = rows.text(row, 9) == "active";
  return run;
}

StoredModel model_of(const Rows& rows, std::size_t row) {
  StoredModel stored;
  stored.number = rows.integer(row, 0);
  LoggedModel& model = stored.model;
  model.model_id = rows.text(row, 1);
  model.experiment = rows.integer(row, 2);
  model.name = rows.text(row, 3);
  model.model_type = rows.text(row, 4);
  model.source_run_id = rows.text(row, 5);
  model.artifact_uri = rows.text(row, 6);
  model.status = parse_model_status(rows.text(row, 7)).value_or(ModelStatus::kPending);
  model.status_message = rows.text(row, 8);
  model.creator = rows.text(row, 9);
  model.created_at = rows.integer(row, 10);
  model.updated_at = rows.integer(row, 11);
  stored.active = rows.text(row, 12) == "active";
  return stored;
}

Metric metric_of(const Rows& rows, std::size_t row, std::size_t column) {
  Metric metric;
  metric.key = rows.text(row, column);
  metric.timestamp = rows.integer(row, column + 1);
  metric.step = rows.integer(row, column + 2);
  const bool is_nan = rows.integer(row, column + 4) != 0;
  metric.value = is_nan ? std::numeric_limits<double>::quiet_NaN() : rows.real(row, column + 3);
  return metric;
}

Status read_experiment_tags(
    Transaction& transaction, const std::string& workspace, std::span<Experiment> experiments
) {
  std::vector<std::int64_t> ids;
  std::unordered_map<std::int64_t, Experiment*> by_id;
  for (Experiment& experiment : experiments) {
    ids.push_back(experiment.id);
    by_id.emplace(experiment.id, &experiment);
  }
  return for_each_chunk(ids, [&](std::vector<Value>& list) -> Status {
    const std::string sql =
        "SELECT experiment, key, value FROM experiment_tag WHERE workspace = $1 AND experiment IN "
        "(" +
        places(list.size(), 2) + ") ORDER BY experiment, key";
    list.insert(list.begin(), workspace);
    CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(sql, std::span<const Value>(list)));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      by_id.at(rows.integer(row, 0))->tags.push_back({rows.text(row, 1), rows.text(row, 2)});
    }
    return {};
  });
}

Result<std::vector<Run>> read_runs(Transaction& transaction, std::vector<StoredRun> stored) {
  const Places places_of(stored);
  std::vector<Run> runs(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) runs[i].info = std::move(stored[i].info);
  const auto read_chunk = [&](std::vector<Value>& list) -> Status {
    CORTEX_RETURN_IF_ERROR(read_attributes(transaction, list, places_of, runs));
    CORTEX_RETURN_IF_ERROR(read_latest_metrics(transaction, list, places_of, runs));
    return read_datasets(transaction, list, places_of, runs);
  };
  CORTEX_RETURN_IF_ERROR(for_each_chunk(places_of.numbers(), read_chunk));
  return runs;
}

Result<std::vector<LoggedModel>> read_models(
    Transaction& transaction, std::vector<StoredModel> stored
) {
  const Places places_of(stored);
  std::vector<LoggedModel> models;
  models.reserve(stored.size());
  for (StoredModel& one : stored) {
    models.push_back(std::move(one.model));
    CORTEX_RETURN_IF_ERROR(read_model_metrics(transaction, one.number, models.back()));
  }
  const auto read_chunk = [&](std::vector<Value>& list) {
    return read_model_attributes(transaction, list, places_of, models);
  };
  CORTEX_RETURN_IF_ERROR(for_each_chunk(places_of.numbers(), read_chunk));
  return models;
}

}  // namespace cortex::tracking::detail
