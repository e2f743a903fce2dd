// SPDX-License-Identifier: Apache-2.0
#include "tracking/experiments.h"

#include <charconv>
#include <utility>

#include "tracking/detail/rows.h"
#include "tracking/validation.h"

namespace cortex::tracking {
namespace {

using store::Rows;
using store::Transaction;
using store::Value;

constexpr std::string_view kById =
    "SELECT id, name, artifact_location, lifecycle_stage, created_at, updated_at "
    "FROM experiment WHERE workspace = $1 AND id = $2";
constexpr std::string_view kByName =
    "SELECT id, name, artifact_location, lifecycle_stage, created_at, updated_at "
    "FROM experiment WHERE workspace = $1 AND name = $2";

Status no_experiment(std::int64_t id) {
  return not_found("No Experiment with id=" + std::to_string(id) + " exists");
}

Status check_active(const Experiment& experiment) {
  if (experiment.active) return {};
  return invalid_argument(
      "The experiment " + std::to_string(experiment.id) +
      " must be in the 'active' state. Current state is deleted."
  );
}

Result<std::int64_t> next_id(Transaction& transaction, const std::string& workspace) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "INSERT INTO experiment_counter (workspace, last) VALUES ($1, 1) ON CONFLICT (workspace) "
          "DO UPDATE SET last = experiment_counter.last + 1 RETURNING last",
          {workspace}
      )
  );
  return rows.integer(0, 0);
}

Result<std::int64_t> insert_experiment(
    Transaction& transaction,
    const std::string& workspace,
    const Experiment& experiment,
    std::int64_t now
) {
  return transaction.execute(
      "INSERT INTO experiment (workspace, id, name, artifact_location, lifecycle_stage, "
      "created_at, updated_at) VALUES ($1, $2, $3, $4, 'active', $5, $5) ON CONFLICT DO NOTHING",
      {workspace, experiment.id, experiment.name, experiment.artifact_location, now}
  );
}

Result<Experiment> find_bare(
    Transaction& transaction, const std::string& workspace, std::int64_t id
) {
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(kById, {workspace, id}));
  if (rows.empty()) return no_experiment(id);
  return detail::experiment_of(rows, 0);
}

Status put_tag(
    Transaction& transaction, const std::string& workspace, std::int64_t id, const Tag& tag
) {
  return transaction
      .execute(
          "INSERT INTO experiment_tag (workspace, experiment, key, value) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT (workspace, experiment, key) DO UPDATE SET value = excluded.value",
          {workspace, id, tag.key, tag.value}
      )
      .status();
}

Result<Experiment> with_tags(
    Transaction& transaction, const std::string& workspace, const Rows& rows
) {
  std::vector<Experiment> found{detail::experiment_of(rows, 0)};
  CORTEX_RETURN_IF_ERROR(detail::read_experiment_tags(transaction, workspace, found));
  return std::move(found.front());
}

}  // namespace

Result<std::int64_t> parse_experiment_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size()) return id;
  return invalid_argument(
      "Invalid experiment ID '" + std::string(text) + "'. Experiment ID must be a valid integer."
  );
}

Status ensure_default_experiment(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& artifact_root,
    std::int64_t now
) {
  Experiment standard;
  standard.id = kDefaultExperiment;
  standard.name = "Default";
  standard.artifact_location = artifact_root + "/" + std::to_string(standard.id);
  return insert_experiment(transaction, workspace, standard, now).status();
}

Result<std::int64_t> create_experiment(
    Transaction& transaction,
    const std::string& workspace,
    const NewExperiment& experiment,
    std::int64_t now
) {
  CORTEX_RETURN_IF_ERROR(check_experiment_name(experiment.name));
  for (const Tag& tag : experiment.tags) CORTEX_RETURN_IF_ERROR(check_experiment_tag(tag));
  Experiment made;
  CORTEX_ASSIGN_OR_RETURN(made.id, next_id(transaction, workspace));
  made.name = experiment.name;
  made.artifact_location = experiment.artifact_location.empty()
                               ? experiment.artifact_root + "/" + std::to_string(made.id)
                               : experiment.artifact_location;
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows, insert_experiment(transaction, workspace, made, now)
  );
  if (rows == 0) {
    return already_exists("Experiment(name=" + experiment.name + ") already exists.");
  }
  for (const Tag& tag : experiment.tags) {
    CORTEX_RETURN_IF_ERROR(put_tag(transaction, workspace, made.id, tag));
  }
  return made.id;
}

Result<Experiment> find_experiment(
    Transaction& transaction, const std::string& workspace, std::int64_t id
) {
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(kById, {workspace, id}));
  if (rows.empty()) return no_experiment(id);
  return with_tags(transaction, workspace, rows);
}

Result<Experiment> find_experiment_by_name(
    Transaction& transaction, const std::string& workspace, const std::string& name
) {
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, transaction.query(kByName, {workspace, name}));
  if (rows.empty()) return not_found("Could not find experiment with name '" + name + "'");
  return with_tags(transaction, workspace, rows);
}

Result<Experiment> find_active_experiment(
    Transaction& transaction, const std::string& workspace, std::int64_t id
) {
  CORTEX_ASSIGN_OR_RETURN(Experiment experiment, find_bare(transaction, workspace, id));
  CORTEX_RETURN_IF_ERROR(check_active(experiment));
  return experiment;
}

Status rename_experiment(
    Transaction& transaction,
    const std::string& workspace,
    std::int64_t id,
    const std::string& name,
    std::int64_t now
) {
  CORTEX_RETURN_IF_ERROR(check_experiment_name(name));
  CORTEX_ASSIGN_OR_RETURN(const Experiment experiment, find_bare(transaction, workspace, id));
  if (!experiment.active) return failed_precondition("Cannot rename a non-active experiment.");
  const auto named = find_experiment_by_name(transaction, workspace, name);
  if (named.ok() && named->id != id) {
    return already_exists("Experiment(name=" + name + ") already exists.");
  }
  if (!named.ok() && named.status().code() != Code::kNotFound) return named.status();
  return transaction
      .execute(
          "UPDATE experiment SET name = $3, updated_at = $4 WHERE workspace = $1 AND id = $2",
          {workspace, id, name, now}
      )
      .status();
}

Status set_experiment_active(
    Transaction& transaction,
    const std::string& workspace,
    std::int64_t id,
    bool active,
    std::int64_t now
) {
  const std::string stage = active ? "active" : "deleted";
  const std::string before = active ? "deleted" : "active";
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows,
      transaction.execute(
          "UPDATE experiment SET lifecycle_stage = $3, updated_at = $4 "
          "WHERE workspace = $1 AND id = $2 AND lifecycle_stage = $5",
          {workspace, id, stage, now, before}
      )
  );
  if (rows == 0) return no_experiment(id);
  // An active run has no time of its deletion: 0 stands for none.
  return transaction
      .execute(
          "UPDATE run SET lifecycle_stage = $3, deleted_at = NULLIF($4, 0) "
          "WHERE workspace = $1 AND experiment = $2",
          {workspace, id, stage, active ? std::int64_t{0} : now}
      )
      .status();
}

Status set_experiment_tag(
    Transaction& transaction, const std::string& workspace, std::int64_t id, const Tag& tag
) {
  CORTEX_RETURN_IF_ERROR(check_experiment_tag(tag));
  CORTEX_RETURN_IF_ERROR(find_active_experiment(transaction, workspace, id).status());
  return put_tag(transaction, workspace, id, tag);
}

Status delete_experiment_tag(
    Transaction& transaction, const std::string& workspace, std::int64_t id, const std::string& key
) {
  CORTEX_RETURN_IF_ERROR(find_active_experiment(transaction, workspace, id).status());
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows,
      transaction.execute(
          "DELETE FROM experiment_tag WHERE workspace = $1 AND experiment = $2 AND key = $3",
          {workspace, id, key}
      )
  );
  if (rows > 0) return {};
  return not_found("No tag with name: " + key + " in experiment with id " + std::to_string(id));
}

}  // namespace cortex::tracking
