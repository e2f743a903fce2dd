// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/version_rows.h"

#include <map>
#include <utility>

#include "registry/catalog/detail/key_list.h"

namespace cortex::registry {

std::string select_versions() {
  return "SELECT v.model_id, m.name, v.version, v.major, v.minor, v.patch, v.created_at, "
         "v.updated_at, v.author, v.description, v.source, v.location, v.run, v.run_link, "
         "v.logged_model, v.status, v.status_message, v.stage, v.deprecated_at, v.deprecated_by, "
         "v.deprecation_reason, b.name, v.baseline_version "
         "FROM model_version v JOIN registered_model m ON m.id = v.model_id "
         "LEFT JOIN registered_model b ON b.id = v.baseline_model_id "
         "WHERE v.workspace = $1 AND v.deleted = 0";
}

std::optional<SemanticVersion> read_semantic(
    const store::Rows& rows, std::size_t row, std::size_t column
) {
  if (rows.is_null(row, column)) return std::nullopt;
  return SemanticVersion{
      rows.integer(row, column), rows.integer(row, column + 1), rows.integer(row, column + 2)
  };
}

VersionRow read_version_row(const store::Rows& rows, std::size_t row) {
  VersionRow out;
  ModelVersion& version = out.version;
  out.model_id = rows.integer(row, 0);
  version.id = {rows.text(row, 1), rows.integer(row, 2)};
  version.semantic = read_semantic(rows, row, 3);
  version.created_at = rows.integer(row, 6);
  version.updated_at = rows.integer(row, 7);
  version.user = rows.text(row, 8);
  version.description = rows.text(row, 9);
  version.source = rows.text(row, 10);
  version.location = rows.text(row, 11);
  version.run = rows.text(row, 12);
  version.run_link = rows.text(row, 13);
  version.logged_model = rows.text(row, 14);
  version.status = static_cast<VersionStatus>(rows.integer(row, 15));
  version.status_message = rows.text(row, 16);
  version.stage = static_cast<LifecycleStage>(rows.integer(row, 17));
  if (!rows.is_null(row, 18)) {
    version.deprecation = {rows.integer(row, 18), rows.text(row, 19), rows.text(row, 20)};
  }
  if (!rows.is_null(row, 22)) version.baseline = {rows.text(row, 21), rows.integer(row, 22)};
  return out;
}

std::vector<VersionRow> read_version_rows(const store::Rows& rows) {
  std::vector<VersionRow> out;
  out.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) out.push_back(read_version_row(rows, i));
  return out;
}

Status complete_versions(
    store::Transaction& transaction, const std::string& workspace, std::span<VersionRow> versions
) {
  std::vector<std::int64_t> keys;
  std::map<std::pair<std::int64_t, std::int64_t>, ModelVersion*> by_key;
  for (VersionRow& row : versions) {
    keys.push_back(row.model_id);
    keys.push_back(row.version.id.version);
    by_key[{row.model_id, row.version.id.version}] = &row.version;
  }
  CORTEX_RETURN_IF_ERROR(query_keys(
      transaction,
      "SELECT model_id, version, name, value FROM version_tag "
      "WHERE workspace = $1 AND (model_id, version) IN ({keys})",
      workspace,
      2,
      keys,
      [&by_key](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          ModelVersion* version = by_key.at({rows.integer(i, 0), rows.integer(i, 1)});
          version->tags[rows.text(i, 2)] = rows.text(i, 3);
        }
      }
  ));
  return query_keys(
      transaction,
      "SELECT model_id, version, alias FROM model_alias "
      "WHERE workspace = $1 AND (model_id, version) IN ({keys}) ORDER BY alias",
      workspace,
      2,
      keys,
      [&by_key](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          ModelVersion* version = by_key.at({rows.integer(i, 0), rows.integer(i, 1)});
          version->aliases.push_back(rows.text(i, 2));
        }
      }
  );
}

std::vector<ModelVersion> take_versions(std::vector<VersionRow> rows) {
  std::vector<ModelVersion> out;
  out.reserve(rows.size());
  for (VersionRow& row : rows) out.push_back(std::move(row.version));
  return out;
}

Status version_not_found(const VersionId& id) {
  return not_found(
      "Model Version (name=" + id.model + ", version=" + std::to_string(id.version) + ") not found"
  );
}

}  // namespace cortex::registry
