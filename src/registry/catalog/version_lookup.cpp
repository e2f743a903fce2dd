// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "registry/catalog/detail/key_list.h"
#include "registry/catalog/detail/model_rows.h"
#include "registry/catalog/detail/names.h"
#include "registry/catalog/detail/version_rows.h"
#include "registry/catalog/model_version.h"

namespace cortex::registry {
namespace {

constexpr std::array<LifecycleStage, 4> kAllStages = {
    LifecycleStage::kNone,
    LifecycleStage::kStaging,
    LifecycleStage::kProduction,
    LifecycleStage::kArchived,
};

Result<ModelVersion> find_one(
    store::Transaction& transaction,
    const std::string& sql,
    const std::string& workspace,
    std::span<const store::Value> parameters,
    const Status& missing
) {
  CORTEX_ASSIGN_OR_RETURN(const store::Rows rows, transaction.query(sql, parameters));
  if (rows.empty()) return missing;
  VersionRow row = read_version_row(rows, 0);
  CORTEX_RETURN_IF_ERROR(complete_versions(transaction, workspace, std::span(&row, 1)));
  return std::move(row.version);
}

// One look into the index for each stage: "SELECT m.id, (…), (…) FROM registered_model m".
std::string select_latest(std::span<const LifecycleStage> stages) {
  std::string sql = "SELECT m.id";
  for (const LifecycleStage stage : stages) {
    sql +=
        ", (SELECT max(v.version) FROM model_version v WHERE v.workspace = m.workspace "
        "AND v.model_id = m.id AND v.deleted = 0 AND v.status = " +
        std::to_string(static_cast<int>(VersionStatus::kReady)) +
        " AND v.stage = " + std::to_string(static_cast<int>(stage)) + ")";
  }
  return sql + " FROM registered_model m WHERE m.workspace = $1 AND m.id IN ({keys})";
}

Result<std::vector<VersionRow>> find_rows(
    store::Transaction& transaction,
    const std::string& workspace,
    std::span<const std::int64_t> keys
) {
  std::vector<VersionRow> found;
  CORTEX_RETURN_IF_ERROR(query_keys(
      transaction,
      select_versions() + " AND (v.model_id, v.version) IN ({keys})",
      workspace,
      2,
      keys,
      [&found](const store::Rows& rows) {
        for (VersionRow& row : read_version_rows(rows)) found.push_back(std::move(row));
      }
  ));
  return found;
}

Result<std::vector<ModelVersion>> latest_of(
    store::Transaction& transaction,
    const std::string& workspace,
    std::span<const std::int64_t> models,
    std::span<const LifecycleStage> stages
) {
  std::vector<std::int64_t> keys;
  CORTEX_RETURN_IF_ERROR(query_keys(
      transaction,
      select_latest(stages),
      workspace,
      1,
      models,
      [&keys](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          for (std::size_t column = 1; column < rows.columns(); ++column) {
            if (rows.is_null(i, column)) continue;
            keys.push_back(rows.integer(i, 0));
            keys.push_back(rows.integer(i, column));
          }
        }
      }
  ));
  CORTEX_ASSIGN_OR_RETURN(auto rows, find_rows(transaction, workspace, keys));
  CORTEX_RETURN_IF_ERROR(complete_versions(transaction, workspace, rows));
  std::vector<ModelVersion> versions = take_versions(std::move(rows));
  std::sort(versions.begin(), versions.end(), [](const ModelVersion& a, const ModelVersion& b) {
    return std::tie(a.id.model, a.stage) < std::tie(b.id.model, b.stage);
  });
  return versions;
}

}  // namespace

Result<ModelVersion> find_version(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(id.model));
  const std::array<store::Value, 3> parameters = {workspace, id.model, id.version};
  return find_one(
      transaction,
      select_versions() +
          " AND m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL AND v.version = $3",
      workspace,
      parameters,
      version_not_found(id)
  );
}

Result<ModelVersion> find_semantic_version(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const SemanticVersion& version
) {
  const std::array<store::Value, 5> parameters = {
      workspace, model, version.major, version.minor, version.patch
  };
  return find_one(
      transaction,
      select_versions() +
          " AND m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL "
          "AND v.major = $3 AND v.minor = $4 AND v.patch = $5",
      workspace,
      parameters,
      not_found("model '" + model + "' has no version " + to_text(version))
  );
}

Result<std::vector<ModelVersion>> find_latest_versions(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    std::span<const LifecycleStage> stages
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(model));
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, find_model_id(transaction, workspace, model));
  std::vector<LifecycleStage> wanted(stages.begin(), stages.end());
  if (wanted.empty()) wanted.assign(kAllStages.begin(), kAllStages.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return latest_of(transaction, workspace, std::span(&id, 1), wanted);
}

Result<std::vector<ModelVersion>> find_latest_versions(
    store::Transaction& transaction,
    const std::string& workspace,
    std::span<const RegisteredModel> models
) {
  std::vector<std::int64_t> ids;
  for (const RegisteredModel& model : models) ids.push_back(model.identity);
  return latest_of(transaction, workspace, ids, kAllStages);
}

}  // namespace cortex::registry
