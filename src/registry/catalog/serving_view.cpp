// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/serving_view.h"

#include <algorithm>
#include <set>
#include <string_view>
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

constexpr std::size_t kNamedAtOnce = 500;
constexpr std::string_view kColumns =
    "model_id, version, location, major, minor, patch, stage, deprecated_at, created_at";

// Conditions on model_version: what may be served at all.
std::string servable() {
  return "workspace = $1 AND deleted = 0 AND status = " +
         std::to_string(static_cast<int>(VersionStatus::kReady)) + " AND location <> ''";
}

std::string stage_number(LifecycleStage stage) { return std::to_string(static_cast<int>(stage)); }

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

// Of every model, in one pass over all versions.
Status add_all_versions(
    store::Transaction& transaction, const std::string& workspace, const ById& models
) {
  const std::string columns(kColumns);
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + columns + " FROM (SELECT " + columns +
              ", ROW_NUMBER() OVER (PARTITION BY model_id ORDER BY version DESC) AS place"
              ", ROW_NUMBER() OVER (PARTITION BY model_id, stage ORDER BY version DESC) AS in_stage"
              " FROM model_version WHERE " +
              servable() + ") v WHERE place <= " + std::to_string(kServedNewest) +
              " OR (stage IN (" + stage_number(LifecycleStage::kProduction) + ", " +
              stage_number(LifecycleStage::kStaging) +
              ") AND in_stage = 1) OR EXISTS (SELECT 1 FROM model_alias a LEFT JOIN alias_history "
              "h "
              "ON h.workspace = a.workspace AND h.model_id = a.model_id AND h.alias = a.alias "
              "AND h.seq = a.seq WHERE a.workspace = $1 AND a.model_id = v.model_id AND "
              "a.version > 0 AND (a.version = v.version OR h.from_version = v.version)) "
              "ORDER BY model_id, version",
          {workspace}
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    models.at(rows.integer(i, 0))->versions.push_back(read_served_version(rows, i));
  }
  return {};
}

Status take_versions(
    store::Transaction& transaction, const Scope& scope, const std::string& rest, ServedModel& model
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kColumns) + " FROM model_version WHERE " + servable() +
              scope.condition + rest,
          scope.parameters
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    model.versions.push_back(read_served_version(rows, i));
  }
  return {};
}

// Older than `oldest`: what aliases and stages name.
Status add_named_versions(
    store::Transaction& transaction, const Scope& scope, std::int64_t oldest, ServedModel& model
) {
  for (const LifecycleStage stage : {LifecycleStage::kProduction, LifecycleStage::kStaging}) {
    CORTEX_RETURN_IF_ERROR(take_versions(
        transaction,
        scope,
        " AND stage = " + stage_number(stage) + " ORDER BY version DESC LIMIT 1",
        model
    ));
  }
  std::set<std::int64_t> named;
  for (const auto* aliases : {&model.aliases, &model.previous}) {
    for (const auto& [alias, version] : *aliases) {
      if (version < oldest) named.insert(version);
    }
  }
  std::string numbers;
  std::size_t count = 0;
  for (const std::int64_t version : named) {
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(version);
    ++count;
    if (count % kNamedAtOnce != 0 && count != named.size()) continue;
    const std::string rest = " AND version IN (" + std::exchange(numbers, "") + ")";
    CORTEX_RETURN_IF_ERROR(take_versions(transaction, scope, rest, model));
  }
  return {};
}

// The newest by the index over versions, the rest by their numbers and stages.
Status add_versions_of_one(
    store::Transaction& transaction, const Scope& scope, ServedModel& model
) {
  CORTEX_RETURN_IF_ERROR(take_versions(
      transaction, scope, " ORDER BY version DESC LIMIT " + std::to_string(kServedNewest), model
  ));
  if (model.versions.size() == kServedNewest) {
    const std::int64_t oldest = model.versions.back().version;
    CORTEX_RETURN_IF_ERROR(add_named_versions(transaction, scope, oldest, model));
  }
  const auto by_number = [](const ServedVersion& a, const ServedVersion& b) {
    return a.version < b.version;
  };
  std::sort(model.versions.begin(), model.versions.end(), by_number);
  const auto is_same = [](const ServedVersion& a, const ServedVersion& b) {
    return a.version == b.version;
  };
  const auto end = std::unique(model.versions.begin(), model.versions.end(), is_same);
  model.versions.erase(end, model.versions.end());
  return {};
}

Status add_aliases(store::Transaction& transaction, const Scope& scope, const ById& models) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT a.model_id, a.alias, a.version, COALESCE(h.from_version, 0) FROM model_alias a "
          "LEFT JOIN alias_history h ON h.workspace = a.workspace AND h.model_id = a.model_id AND "
          "h.alias = a.alias AND h.seq = a.seq WHERE a.workspace = $1" +
              std::string(scope.condition.empty() ? "" : " AND a.model_id = $2") +
              " AND a.version > 0",
          scope.parameters
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ServedModel& model = *models.at(rows.integer(i, 0));
    model.aliases[rows.text(i, 1)] = rows.integer(i, 2);
    if (rows.integer(i, 3) > 0) model.previous[rows.text(i, 1)] = rows.integer(i, 3);
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

ById by_id(std::vector<ServedModel>& models) {
  ById out;
  for (ServedModel& model : models) out[model.identity] = &model;
  return out;
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
  const ById all = by_id(models);
  CORTEX_RETURN_IF_ERROR(add_all_versions(transaction, workspace, all));
  CORTEX_RETURN_IF_ERROR(add_aliases(transaction, scope_of(workspace, std::nullopt), all));
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
  const Scope scope = scope_of(workspace, models.front().identity);
  CORTEX_RETURN_IF_ERROR(add_aliases(transaction, scope, by_id(models)));
  CORTEX_RETURN_IF_ERROR(add_versions_of_one(transaction, scope, models.front()));
  return std::optional(std::move(models.front()));
}

}  // namespace cortex::registry
