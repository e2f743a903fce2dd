// SPDX-License-Identifier: Apache-2.0
#include "tracking/runs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tracking/detail/find.h"
#include "tracking/detail/rows.h"
#include "tracking/experiments.h"
#include "tracking/identity.h"
#include "tracking/validation.h"

namespace cortex::tracking {
namespace {

using store::Rows;
using store::Transaction;
using store::Value;

// The run's tags, of two with one key the later, with the one that names it.
Result<std::vector<Tag>> tags_of(const NewRun& run, std::string& name) {
  std::vector<Tag> tags;
  std::string tagged;
  for (const Tag& tag : run.tags) {
    CORTEX_RETURN_IF_ERROR(check_length("key", tag.key, kKeyCharactersLimit));
    if (tag.key == detail::kRunNameTag) tagged = tag.value;
    std::erase_if(tags, [&](const Tag& earlier) { return earlier.key == tag.key; });
    tags.push_back(tag);
    truncate_characters(tags.back().value, kTagCharactersLimit);
  }
  if (!run.name.empty() && !tagged.empty() && run.name != tagged) {
    return invalid_argument(
        "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different "
        "values (run_name='" +
        run.name + "', mlflow.runName='" + tagged + "')."
    );
  }
  name = !run.name.empty() ? run.name : !tagged.empty() ? tagged : new_name();
  if (tagged.empty()) {
    std::erase_if(tags, [](const Tag& tag) { return tag.key == detail::kRunNameTag; });
    tags.push_back({std::string(detail::kRunNameTag), name});
  }
  return tags;
}

Result<std::int64_t> insert_run(
    Transaction& transaction, const std::string& workspace, const RunInfo& info
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "INSERT INTO run (workspace, run_id, experiment, name, user_id, status, start_time, "
          "artifact_uri, lifecycle_stage) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active') "
          "RETURNING number",
          {workspace,
           info.run_id,
           info.experiment,
           info.name,
           info.user_id,
           std::string(run_status_name(info.status)),
           info.start_time,
           info.artifact_uri}
      )
  );
  return rows.integer(0, 0);
}

Status insert_tags(Transaction& transaction, std::int64_t number, const std::vector<Tag>& tags) {
  std::vector<Value> parameters;
  parameters.reserve(tags.size() * 3);
  for (const Tag& tag : tags) {
    parameters.insert(parameters.end(), {Value(number), Value(tag.key), Value(tag.value)});
  }
  return transaction
      .execute_many("INSERT INTO run_tag (run, key, value) VALUES ($1, $2, $3)", 3, parameters)
      .status();
}

}  // namespace

Result<Run> create_run(Transaction& transaction, const std::string& workspace, const NewRun& run) {
  Run made;
  CORTEX_ASSIGN_OR_RETURN(made.tags, tags_of(run, made.info.name));
  CORTEX_ASSIGN_OR_RETURN(
      const Experiment experiment, find_active_experiment(transaction, workspace, run.experiment)
  );
  made.info.run_id = new_id();
  made.info.experiment = experiment.id;
  made.info.user_id = run.user_id;
  made.info.start_time = run.start_time;
  made.info.artifact_uri = experiment.artifact_location + "/" + made.info.run_id + "/artifacts";
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t number, insert_run(transaction, workspace, made.info));
  CORTEX_RETURN_IF_ERROR(insert_tags(transaction, number, made.tags));
  return made;
}

Result<Run> find_run(
    Transaction& transaction, const std::string& workspace, const std::string& run_id
) {
  std::vector<detail::StoredRun> stored(1);
  CORTEX_ASSIGN_OR_RETURN(stored.front(), detail::find_stored_run(transaction, workspace, run_id));
  CORTEX_ASSIGN_OR_RETURN(std::vector<Run> runs, detail::read_runs(transaction, std::move(stored)));
  return std::move(runs.front());
}

Result<RunInfo> find_run_info(
    Transaction& transaction, const std::string& workspace, const std::string& run_id
) {
  CORTEX_ASSIGN_OR_RETURN(
      detail::StoredRun run, detail::find_stored_run(transaction, workspace, run_id)
  );
  return std::move(run.info);
}

Result<RunInfo> update_run(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    const RunUpdate& update
) {
  CORTEX_ASSIGN_OR_RETURN(
      detail::StoredRun run, detail::find_open_run(transaction, workspace, run_id)
  );
  RunInfo& info = run.info;
  info.status = update.status.value_or(info.status);
  if (update.end_time) info.end_time = update.end_time;
  if (!update.name.empty()) info.name = update.name;
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE run SET status = $2, end_time = $3, name = $4 WHERE number = $1",
              {run.number,
               std::string(run_status_name(info.status)),
               info.end_time ? Value(*info.end_time) : Value(),
               info.name}
          )
          .status()
  );
  if (!update.name.empty()) {
    CORTEX_RETURN_IF_ERROR(transaction
                               .execute(
                                   "INSERT INTO run_tag (run, key, value) VALUES ($1, $2, $3) "
                                   "ON CONFLICT (run, key) DO UPDATE SET value = excluded.value",
                                   {run.number, std::string(detail::kRunNameTag), info.name}
                               )
                               .status());
  }
  return std::move(info);
}

Status set_run_active(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& run_id,
    bool active,
    std::int64_t now
) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows,
      transaction.execute(
          "UPDATE run SET lifecycle_stage = $3, deleted_at = $4 "
          "WHERE workspace = $1 AND run_id = $2",
          {workspace,
           run_id,
           std::string(active ? "active" : "deleted"),
           active ? Value() : Value(now)}
      )
  );
  return rows > 0 ? Status() : not_found("Run with id=" + run_id + " not found");
}

}  // namespace cortex::tracking
