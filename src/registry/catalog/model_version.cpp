// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/model_version.h"

#include <array>
#include <utility>

#include "registry/catalog/alias.h"
#include "registry/catalog/detail/alias_rows.h"
#include "registry/catalog/detail/names.h"
#include "registry/catalog/detail/version_change.h"
#include "registry/catalog/detail/version_rows.h"
#include "registry/catalog/lineage.h"

namespace cortex::registry {
namespace {

// The version that a change was about, for the caller; its model was touched by it.
Result<ModelVersion> changed(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const AuditEvent& event
) {
  CORTEX_RETURN_IF_ERROR(append_audit(transaction, author, event));
  return find_version(transaction, author.workspace, id);
}

Status archive_others(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    std::int64_t model_id,
    LifecycleStage stage
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "UPDATE model_version SET stage = $5, updated_at = $6 WHERE workspace = $1 "
          "AND model_id = $2 AND version <> $3 AND stage = $4 AND deleted = 0 RETURNING version",
          {author.workspace,
           model_id,
           id.version,
           static_cast<std::int64_t>(stage),
           static_cast<std::int64_t>(LifecycleStage::kArchived),
           author.at}
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const AuditEvent event =
        version_event("staged", {id.model, rows.integer(i, 0)}, {{"stage", "Archived"}});
    CORTEX_RETURN_IF_ERROR(append_audit(transaction, author, event));
  }
  return {};
}

Status set_deprecation(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    std::int64_t model_id,
    const std::optional<Deprecation>& deprecation
) {
  return transaction
      .execute(
          "UPDATE model_version SET deprecated_at = $4, deprecated_by = $5, "
          "deprecation_reason = $6, updated_at = $7 "
          "WHERE workspace = $1 AND model_id = $2 AND version = $3",
          {author.workspace,
           model_id,
           id.version,
           deprecation ? store::Value(deprecation->at) : store::Value(),
           deprecation ? deprecation->user : std::string(),
           deprecation ? deprecation->reason : std::string(),
           author.at}
      )
      .status();
}

}  // namespace

Result<ModelVersion> describe_version(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& description
) {
  CORTEX_RETURN_IF_ERROR(check_description(description));
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE model_version SET description = $4, updated_at = $5 "
              "WHERE workspace = $1 AND model_id = $2 AND version = $3",
              {author.workspace, held.model.id, id.version, description, author.at}
          )
          .status()
  );
  return changed(
      transaction, author, id, version_event("described", id, {{"description", description}})
  );
}

Result<ModelVersion> finish_version(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    VersionStatus status,
    const std::string& message
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  if (held.status != VersionStatus::kPending) {
    return failed_precondition(
        "version " + std::to_string(id.version) + " of model '" + id.model + "' is " +
        (held.status == VersionStatus::kReady ? "ready" : "failed") + " already"
    );
  }
  const bool ready = status == VersionStatus::kReady;
  CORTEX_RETURN_IF_ERROR(transaction
                             .execute(
                                 "UPDATE model_version SET status = $4, status_message = $5, "
                                 "updated_at = $6 "
                                 "WHERE workspace = $1 AND model_id = $2 AND version = $3",
                                 {author.workspace,
                                  held.model.id,
                                  id.version,
                                  static_cast<std::int64_t>(status),
                                  message,
                                  author.at}
                             )
                             .status());
  return changed(
      transaction, author, id, version_event("finished", id, {{"ready", ready}, {"text", message}})
  );
}

Status delete_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  const AliasOwner owner{held.model.id, id.model, held.model.revision};
  CORTEX_RETURN_IF_ERROR(
      drop_aliases(transaction, author, owner, AliasAction::kVersionDeleted, id.version)
  );
  constexpr std::array<std::string_view, 3> kStatements = {
      "UPDATE model_version SET deleted = 1, stage = 0, author = '', description = '', "
      "source = '', location = '', run = '', run_link = '', logged_model = '', "
      "status_message = '', deprecated_by = '', deprecation_reason = '' "
      "WHERE workspace = $1 AND model_id = $2 AND version = $3",
      "DELETE FROM version_tag WHERE workspace = $1 AND model_id = $2 AND version = $3",
      "DELETE FROM version_dataset WHERE workspace = $1 AND model_id = $2 AND version = $3",
  };
  for (const std::string_view statement : kStatements) {
    CORTEX_RETURN_IF_ERROR(
        transaction.execute(statement, {author.workspace, held.model.id, id.version}).status()
    );
  }
  CORTEX_RETURN_IF_ERROR(touch_model(transaction, author, held.model.id));
  return append_audit(transaction, author, version_event("deleted", id));
}

Result<ModelVersion> transition_stage(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    LifecycleStage stage,
    bool archive_existing
) {
  const bool active = stage == LifecycleStage::kStaging || stage == LifecycleStage::kProduction;
  if (archive_existing && !active) {
    return invalid_argument(
        "Model version transition cannot archive existing model versions because '" +
        std::string(stage_name(stage)) +
        "' is not an Active stage. Valid stages are ['Staging', 'Production']"
    );
  }
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  if (archive_existing) {
    CORTEX_RETURN_IF_ERROR(archive_others(transaction, author, id, held.model.id, stage));
  }
  CORTEX_RETURN_IF_ERROR(transaction
                             .execute(
                                 "UPDATE model_version SET stage = $4, updated_at = $5 "
                                 "WHERE workspace = $1 AND model_id = $2 AND version = $3",
                                 {author.workspace,
                                  held.model.id,
                                  id.version,
                                  static_cast<std::int64_t>(stage),
                                  author.at}
                             )
                             .status());
  CORTEX_RETURN_IF_ERROR(touch_model(transaction, author, held.model.id));
  return changed(
      transaction,
      author,
      id,
      version_event("staged", id, {{"stage", std::string(stage_name(stage))}})
  );
}

Result<ModelVersion> deprecate_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  const Deprecation deprecation{author.at, author.user, author.reason};
  CORTEX_RETURN_IF_ERROR(set_deprecation(transaction, author, id, held.model.id, deprecation));
  return changed(transaction, author, id, version_event("deprecated", id));
}

Result<ModelVersion> undo_deprecation(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
) {
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  CORTEX_RETURN_IF_ERROR(set_deprecation(transaction, author, id, held.model.id, std::nullopt));
  return changed(transaction, author, id, version_event("undeprecated", id));
}

Status set_version_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& key,
    const std::string& value
) {
  CORTEX_RETURN_IF_ERROR(check_tag(key, value));
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  CORTEX_RETURN_IF_ERROR(
      put_version_tag(transaction, author.workspace, held.model.id, id.version, {key, value})
  );
  return append_audit(
      transaction, author, version_event("tag_set", id, {{"key", key}, {"value", value}})
  );
}

Status delete_version_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& key
) {
  CORTEX_RETURN_IF_ERROR(check_tag(key, {}));
  CORTEX_ASSIGN_OR_RETURN(const HeldVersion held, hold_version(transaction, author, id));
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "DELETE FROM version_tag "
              "WHERE workspace = $1 AND model_id = $2 AND version = $3 AND name = $4",
              {author.workspace, held.model.id, id.version, key}
          )
          .status()
  );
  return append_audit(transaction, author, version_event("tag_deleted", id, {{"key", key}}));
}

}  // namespace cortex::registry
