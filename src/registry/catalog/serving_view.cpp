// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/serving_view.h"

#include <unordered_map>
#include <utility>

#include "registry/catalog/detail/version_rows.h"
#include "registry/catalog/model_version.h"

namespace cortex::registry {
namespace {

// What narrows the queries down to one model: a condition on its id as $2, or nothing.
struct Scope {
  std::string condition;
  std::vector<store::Value> parameters;
};

Scope scope_of(const std::string& workspace, const std::optional<std::int64_t>& model_id) {
  if (!model_id) return {"", {workspace}};
  return {" AND model_id = $2", {workspace, *model_id}};
}

using ById = std::unordered_map<std::int64_t, ServedModel*>;

ServedVersion read_served_version(const store::Rows& rows, std::size_t row) {
  ServedVersion version;
  version.version = rows.integer(row, 1);
  version.location = rows.text(row, 2);
  version.semantic = read_semantic(rows, row, 3);
  version.stage = static_cast<LifecycleStage>(rows.integer(row, 6));
  version.deprecated = !rows.is_null(row, 7);
  version.created_at = rows.integer(row, 8);
  return version;
}

Status add_versions(store::Transaction& transaction, const Scope& scope, const ById& models) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT model_id, version, location, major, minor, patch, stage, deprecated_at, "
          "created_at FROM model_version WHERE workspace = $1" +
              scope.condition + " AND deleted = 0 AND status = " +
              std::to_string(static_cast<int>(VersionStatus::kReady)) +
              " AND location <> '' ORDER BY model_id, version",
          scope.parameters
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    models.at(rows.integer(i, 0))->versions.push_back(read_served_version(rows, i));
  }
  return {};
}

Status add_aliases(store::Transaction& transaction, const Scope& scope, const ById& models) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT model_id, alias, version FROM model_alias WHERE workspace = $1" +
              scope.condition + " AND version > 0",
          scope.parameters
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    models.at(rows.integer(i, 0))->aliases[rows.text(i, 1)] = rows.integer(i, 2);
  }
  return {};
}

std::vector<ServedModel> read_models(const store::Rows& rows) {
  std::vector<ServedModel> models(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    models[i].identity = rows.integer(i, 0);
    models[i].name = rows.text(i, 1);
    models[i].revision = rows.integer(i, 2);
  }
  return models;
}

Status complete(
    store::Transaction& transaction, const Scope& scope, std::vector<ServedModel>& models
) {
  ById by_id;
  for (ServedModel& model : models) by_id[model.identity] = &model;
  CORTEX_RETURN_IF_ERROR(add_versions(transaction, scope, by_id));
  return add_aliases(transaction, scope, by_id);
}

}  // namespace

Result<std::vector<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT id, name, revision FROM registered_model "
          "WHERE workspace = $1 AND deleted_at IS NULL ORDER BY name",
          {workspace}
      )
  );
  std::vector<ServedModel> models = read_models(rows);
  CORTEX_RETURN_IF_ERROR(complete(transaction, scope_of(workspace, std::nullopt), models));
  return models;
}

Result<std::optional<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT id, name, revision FROM registered_model "
          "WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL",
          {workspace, model}
      )
  );
  if (rows.empty()) return std::optional<ServedModel>();
  std::vector<ServedModel> models = read_models(rows);
  CORTEX_RETURN_IF_ERROR(complete(transaction, scope_of(workspace, models.front().identity), models)
  );
  return std::optional(std::move(models.front()));
}

}  // namespace cortex::registry
