// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "tracking/detail/find.h"
#include "tracking/detail/rows.h"
#include "tracking/runs.h"
#include "tracking/validation.h"

namespace cortex::tracking {
namespace {

using store::Rows;
using store::Transaction;
using store::Value;

constexpr std::string_view kHistoryTag = "mlflow.log-model.history";

constexpr std::string_view kPutTag =
    "INSERT INTO run_tag (run, key, value) VALUES ($1, $2, $3) "
    "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value";

Status check_count(std::string_view what, std::size_t count, std::size_t limit) {
  if (count <= limit) return {};
  const std::string name(what);
  return invalid_argument(
      "A batch logging request can contain at most " + std::to_string(limit) + " " + name +
      ". Got " + std::to_string(count) + " " + name + ". Please split up " + name +
      " across multiple requests and try again."
  );
}

Status check_counts(const LogBatch& batch) {
  const std::size_t all = batch.metrics.size() + batch.params.size() + batch.tags.size();
  CORTEX_RETURN_IF_ERROR(check_count("metrics", batch.metrics.size(), kBatchMetricsLimit));
  CORTEX_RETURN_IF_ERROR(check_count("params", batch.params.size(), kBatchParamsLimit));
  CORTEX_RETURN_IF_ERROR(check_count("tags", batch.tags.size(), kBatchTagsLimit));
  return check_count("metrics, params, and tags", all, kBatchLimit);
}

Status check_param_keys(const std::vector<Param>& params) {
  std::map<std::string_view, int> seen;
  std::string doubled;
  for (const Param& param : params) {
    if (seen[param.key]++ == 0) continue;
    doubled.append(doubled.empty() ? "'" : ", '").append(param.key).append("'");
  }
  if (doubled.empty()) return {};
  return invalid_argument(
      "Duplicate parameter keys have been submitted: [" + doubled +
      "]. Please ensure the request contains only one param value per param key."
  );
}

std::string list_path(const LogBatch& batch, std::string_view list, std::size_t index) {
  if (batch.single) return {};
  return std::string(list).append("[").append(std::to_string(index)).append("]");
}

Status fault_of(
    const LogBatch& batch, const std::string& run_id, const Param& param, const std::string& old
) {
  if (batch.single) {
    return invalid_argument(
        "Changing param values is not allowed. Param with key='" + param.key +
        "' was already logged with value='" + old + "' for run ID='" + run_id +
        "'. Attempted logging new value '" + param.value + "'."
    );
  }
  return invalid_argument(
      "Changing param values is not allowed. Params were already logged='[{'key': '" + param.key +
      "', 'old_value': '" + old + "', 'new_value': '" + param.value + "'}]' for run ID='" + run_id +
      "'."
  );
}

Status compare_params(
    Transaction& transaction, const detail::StoredRun& run, const LogBatch& batch
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query("SELECT key, value FROM run_param WHERE run = $1", {run.number})
  );
  std::map<std::string_view, std::size_t> place;
  for (std::size_t row = 0; row < rows.size(); ++row) place.emplace(rows.text(row, 0), row);
  for (const Param& param : batch.params) {
    const std::string& old = rows.text(place.at(param.key), 1);
    if (old != param.value) return fault_of(batch, run.info.run_id, param, old);
  }
  return {};
}

Status put_params(Transaction& transaction, const detail::StoredRun& run, const LogBatch& batch) {
  if (batch.params.empty()) return {};
  std::vector<Value> parameters;
  parameters.reserve(batch.params.size() * 3);
  for (const Param& param : batch.params) {
    parameters.insert(parameters.end(), {Value(run.number), Value(param.key), Value(param.value)});
  }
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t added,
      transaction.execute_many(
          "INSERT INTO run_param (run, key, value) VALUES ($1, $2, $3) "
          "ON CONFLICT (run, key) DO NOTHING",
          3,
          parameters
      )
  );
  if (added == static_cast<std::int64_t>(batch.params.size())) return {};
  return compare_params(transaction, run, batch);
}

// NaN is no value of a database's: 0 with a flag.
double stored_value(const Metric& metric) { return std::isnan(metric.value) ? 0 : metric.value; }
std::int64_t nan_flag(const Metric& metric) { return std::isnan(metric.value) ? 1 : 0; }

void append_metric(std::vector<Value>& out, std::int64_t owner, const Metric& metric) {
  out.insert(
      out.end(),
      {Value(owner),
       Value(metric.key),
       Value(metric.timestamp),
       Value(metric.step),
       Value(stored_value(metric)),
       Value(nan_flag(metric))}
  );
}

bool is_newer(const Metric& one, const Metric& other) {
  const double a = stored_value(one);
  const double b = stored_value(other);
  return std::tie(one.step, one.timestamp, a) > std::tie(other.step, other.timestamp, b);
}

// In the order of their keys, so that two batches take their rows in one order.
std::map<std::string_view, const Metric*> newest_of(const std::vector<Metric>& metrics) {
  std::map<std::string_view, const Metric*> newest;
  for (const Metric& metric : metrics) {
    const auto [place, added] = newest.emplace(metric.key, &metric);
    if (!added && is_newer(metric, *place->second)) place->second = &metric;
  }
  return newest;
}

Status put_latest(Transaction& transaction, std::int64_t run, const std::vector<Metric>& metrics) {
  std::vector<Value> parameters;
  for (const auto& [key, metric] : newest_of(metrics)) append_metric(parameters, run, *metric);
  return transaction
      .execute_many(
          "INSERT INTO latest_metric (run, key, at, step, value, is_nan) "
          "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run, key) DO UPDATE SET at = excluded.at, "
          "step = excluded.step, value = excluded.value, is_nan = excluded.is_nan "
          "WHERE (excluded.step, excluded.at, excluded.value) > "
          "(latest_metric.step, latest_metric.at, latest_metric.value)",
          6,
          parameters
      )
      .status();
}

Status put_metrics(Transaction& transaction, std::int64_t run, const std::vector<Metric>& metrics) {
  if (metrics.empty()) return {};
  std::vector<Value> parameters;
  parameters.reserve(metrics.size() * 6);
  for (const Metric& metric : metrics) append_metric(parameters, run, metric);
  CORTEX_RETURN_IF_ERROR(transaction
                             .execute_many(
                                 "INSERT INTO metric (run, key, at, step, value, is_nan) "
                                 "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                                 6,
                                 parameters
                             )
                             .status());
  return put_latest(transaction, run, metrics);
}

Status put_model_metrics(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::vector<Metric>& metrics
) {
  std::map<std::string_view, std::int64_t> numbers;
  std::vector<Value> parameters;
  for (const Metric& metric : metrics) {
    if (metric.model_id.empty()) continue;
    if (!numbers.contains(metric.model_id)) {
      CORTEX_ASSIGN_OR_RETURN(
          const detail::StoredModel model,
          detail::find_stored_model(transaction, workspace, metric.model_id)
      );
      numbers.emplace(metric.model_id, model.number);
    }
    append_metric(parameters, numbers.at(metric.model_id), metric);
    parameters.insert(
        parameters.end(), {Value(run_id), Value(metric.dataset_name), Value(metric.dataset_digest)}
    );
  }
  if (parameters.empty()) return {};
  return transaction
      .execute_many(
          "INSERT INTO logged_model_metric (model, key, at, step, value, is_nan, run_id, "
          "dataset_name, dataset_digest) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
          "ON CONFLICT DO NOTHING",
          9,
          parameters
      )
      .status();
}

Status put_run_tags(Transaction& transaction, std::int64_t run, const std::vector<Tag>& tags) {
  // The last one of a key, and in the order of their keys.
  std::map<std::string_view, const std::string*> values;
  for (const Tag& tag : tags) values[tag.key] = &tag.value;
  std::vector<Value> parameters;
  for (const auto& [key, value] : values) {
    // An empty name is no new name.
    if (key == detail::kRunNameTag && value->empty()) continue;
    parameters.insert(parameters.end(), {Value(run), Value(std::string(key)), Value(*value)});
  }
  if (parameters.empty()) return {};
  CORTEX_RETURN_IF_ERROR(transaction.execute_many(kPutTag, 3, parameters).status());
  const auto name = values.find(detail::kRunNameTag);
  if (name == values.end() || name->second->empty()) return {};
  return transaction.execute("UPDATE run SET name = $2 WHERE number = $1", {run, *name->second})
      .status();
}

}  // namespace

Status check_batch(LogBatch& batch) {
  for (std::size_t i = 0; i < batch.metrics.size(); ++i) {
    CORTEX_RETURN_IF_ERROR(check_metric(batch.metrics[i], list_path(batch, "metrics", i)));
  }
  for (std::size_t i = 0; i < batch.params.size(); ++i) {
    CORTEX_RETURN_IF_ERROR(check_param(batch.params[i], list_path(batch, "params", i)));
  }
  for (std::size_t i = 0; i < batch.tags.size(); ++i) {
    CORTEX_RETURN_IF_ERROR(check_run_tag(batch.tags[i], list_path(batch, "tags", i)));
  }
  CORTEX_RETURN_IF_ERROR(check_counts(batch));
  return check_param_keys(batch.params);
}

Status log_batch(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const LogBatch& batch
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  CORTEX_RETURN_IF_ERROR(put_params(transaction, run, batch));
  CORTEX_RETURN_IF_ERROR(put_metrics(transaction, run.number, batch.metrics));
  CORTEX_RETURN_IF_ERROR(put_model_metrics(transaction, workspace, run_id, batch.metrics));
  return put_run_tags(transaction, run.number, batch.tags);
}

Status delete_run_tag(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::string& key
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows,
      transaction.execute("DELETE FROM run_tag WHERE run = $1 AND key = $2", {run.number, key})
  );
  if (rows > 0) return {};
  return not_found("No tag with name: " + key + " in run with id " + run_id);
}

Status append_model_history(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const std::string& entry
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  const std::string key(kHistoryTag);
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query("SELECT value FROM run_tag WHERE run = $1 AND key = $2", {run.number, key})
  );
  std::string history = rows.empty() ? "[]" : rows.text(0, 0);
  if (history.size() < 2 || history.back() != ']') {
    return failed_precondition("the tag " + key + " of run " + run_id + " is no JSON list");
  }
  history.pop_back();
  history.append(history == "[" ? "" : ", ").append(entry).append("]");
  // The same file logged twice by a replay: nothing new.
  if (!rows.empty() && rows.text(0, 0).find(entry) != std::string::npos) return {};
  CORTEX_RETURN_IF_ERROR(check_length("value", history, kTagCharactersLimit));
  return transaction.execute(kPutTag, {run.number, key, history}).status();
}

}  // namespace cortex::tracking
