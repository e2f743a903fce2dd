// SPDX-License-Identifier: Apache-2.0
#include "tracking/logged_models.h"

#include <map>
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

std::vector<Value> rows_of(std::int64_t model, const std::vector<Tag>& entries) {
  std::map<std::string_view, std::string_view> last;
  for (const Tag& entry : entries) last[entry.key] = entry.value;
  std::vector<Value> parameters;
  for (const auto& [key, value] : last) {
    parameters.insert(
        parameters.end(), {Value(model), Value(std::string(key)), Value(std::string(value))}
    );
  }
  return parameters;
}

Status put_model_tags(Transaction& transaction, std::int64_t model, const std::vector<Tag>& tags) {
  const std::vector<Value> parameters = rows_of(model, tags);
  if (parameters.empty()) return {};
  return transaction
      .execute_many(
          "INSERT INTO logged_model_tag (model, key, value) VALUES ($1, $2, $3) "
          "ON CONFLICT (model, key) DO UPDATE SET value = excluded.value",
          3,
          parameters
      )
      .status();
}

Status put_params(Transaction& transaction, std::int64_t model, const std::vector<Param>& params) {
  const std::vector<Value> parameters = rows_of(model, params);
  if (parameters.empty()) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t added,
      transaction.execute_many(
          "INSERT INTO logged_model_param (model, key, value) VALUES ($1, $2, $3) "
          "ON CONFLICT (model, key) DO NOTHING",
          3,
          parameters
      )
  );
  if (added == static_cast<std::int64_t>(parameters.size() / 3)) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query("SELECT key, value FROM logged_model_param WHERE model = $1", {model})
  );
  std::map<std::string_view, std::string_view> kept;
  for (std::size_t row = 0; row < rows.size(); ++row) kept[rows.text(row, 0)] = rows.text(row, 1);
  for (const Param& param : params) {
    if (kept[param.key] == param.value) continue;
    return invalid_argument(
        "Changing param values is not allowed. Param with key='" + param.key +
        "' was already logged with another value."
    );
  }
  return {};
}

Status insert_model(
    Transaction& transaction,
    const std::string& workspace,
    const LoggedModel& model,
    std::int64_t& number
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "INSERT INTO logged_model (workspace, model_id, experiment, name, model_type, "
          "source_run_id, artifact_uri, status, status_message, creator, lifecycle_stage, "
          "created_at, updated_at) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, 'active', $10, $10) RETURNING number",
          {workspace,
           model.model_id,
           model.experiment,
           model.name,
           model.model_type,
           model.source_run_id,
           model.artifact_uri,
           std::string(model_status_name(model.status)),
           model.creator,
           model.created_at}
      )
  );
  number = rows.integer(0, 0);
  return {};
}

Result<LoggedModel> read_one(Transaction& transaction, detail::StoredModel stored) {
  std::vector<detail::StoredModel> list;
  list.push_back(std::move(stored));
  CORTEX_ASSIGN_OR_RETURN(
      std::vector<LoggedModel> models, detail::read_models(transaction, std::move(list))
  );
  return std::move(models.front());
}

}  // namespace

Result<LoggedModel> create_logged_model(
    Transaction& transaction,
    const std::string& workspace,
    const NewLoggedModel& model,
    std::int64_t now
) {
  if (!model.name.empty()) CORTEX_RETURN_IF_ERROR(check_model_name(model.name));
  CORTEX_ASSIGN_OR_RETURN(
      const Experiment experiment, find_active_experiment(transaction, workspace, model.experiment)
  );
  LoggedModel made;
  made.model_id = "m-" + new_id();
  made.experiment = experiment.id;
  made.name = model.name.empty() ? new_name() : model.name;
  made.model_type = model.model_type;
  made.source_run_id = model.source_run_id;
  made.artifact_uri = experiment.artifact_location + "/models/" + made.model_id + "/artifacts";
  made.creator = model.creator;
  made.created_at = now;
  made.updated_at = now;
  made.params = model.params;
  made.tags = model.tags;
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(insert_model(transaction, workspace, made, number));
  CORTEX_RETURN_IF_ERROR(put_params(transaction, number, model.params));
  CORTEX_RETURN_IF_ERROR(put_model_tags(transaction, number, model.tags));
  return made;
}

Result<LoggedModel> find_logged_model(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    bool deleted_too
) {
  CORTEX_ASSIGN_OR_RETURN(
      detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  if (!stored.active && !deleted_too) {
    return not_found("Logged model with ID '" + model_id + "' not found.");
  }
  return read_one(transaction, std::move(stored));
}

Result<LoggedModel> finalize_logged_model(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    ModelStatus status,
    std::int64_t now
) {
  CORTEX_ASSIGN_OR_RETURN(
      detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE logged_model SET status = $2, updated_at = $3 WHERE number = $1",
              {stored.number, std::string(model_status_name(status)), now}
          )
          .status()
  );
  stored.model.status = status;
  stored.model.updated_at = now;
  return read_one(transaction, std::move(stored));
}

Status delete_logged_model(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    std::int64_t now
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  return transaction
      .execute(
          "UPDATE logged_model SET lifecycle_stage = 'deleted', updated_at = $2 WHERE number = $1",
          {stored.number, now}
      )
      .status();
}

Status set_logged_model_tags(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::vector<Tag>& tags
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  return put_model_tags(transaction, stored.number, tags);
}

Status delete_logged_model_tag(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::string& key
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t rows,
      transaction.execute(
          "DELETE FROM logged_model_tag WHERE model = $1 AND key = $2", {stored.number, key}
      )
  );
  if (rows > 0) return {};
  return not_found("No tag with key '" + key + "' found for model with ID '" + model_id + "'.");
}

Status log_logged_model_params(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& model_id,
    const std::vector<Param>& params
) {
  CORTEX_ASSIGN_OR_RETURN(
      const detail::StoredModel stored, detail::find_stored_model(transaction, workspace, model_id)
  );
  return put_params(transaction, stored.number, params);
}

}  // namespace cortex::tracking
