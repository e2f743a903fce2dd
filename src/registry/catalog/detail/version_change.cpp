// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/version_change.h"

#include <utility>

#include "registry/catalog/detail/names.h"
#include "registry/catalog/detail/version_rows.h"

namespace cortex::registry {

Result<HeldVersion> hold_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(id.model));
  HeldVersion held;
  auto model = hold_model(transaction, author, id.model);
  // A client that names a version is told of the version.
  if (model.status().code() == Code::kNotFound) return version_not_found(id);
  CORTEX_ASSIGN_OR_RETURN(held.model, std::move(model));
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT status FROM model_version "
          "WHERE workspace = $1 AND model_id = $2 AND version = $3 AND deleted = 0",
          {author.workspace, held.model.id, id.version}
      )
  );
  if (rows.empty()) return version_not_found(id);
  held.status = static_cast<VersionStatus>(rows.integer(0, 0));
  return held;
}

AuditEvent version_event(
    std::string what, const VersionId& id, std::map<std::string, AuditValue> facts
) {
  AuditEvent event{"version." + std::move(what), id.model, std::move(facts)};
  event.facts["version"] = id.version;
  return event;
}

Status put_version_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    std::int64_t version,
    const Tags::value_type& tag
) {
  return transaction
      .execute(
          "INSERT INTO version_tag (workspace, model_id, version, name, value) "
          "VALUES ($1, $2, $3, $4, $5) "
          "ON CONFLICT (workspace, model_id, version, name) DO UPDATE SET value = excluded.value",
          {workspace, model_id, version, tag.first, tag.second}
      )
      .status();
}

Result<std::optional<std::int64_t>> find_version_model(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT v.model_id FROM registered_model m JOIN model_version v "
          "ON v.workspace = m.workspace AND v.model_id = m.id AND v.version = $3 "
          "AND v.deleted = 0 "
          "WHERE m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL",
          {workspace, id.model, id.version}
      )
  );
  if (rows.empty()) return std::optional<std::int64_t>();
  return std::optional(rows.integer(0, 0));
}

}  // namespace cortex::registry
