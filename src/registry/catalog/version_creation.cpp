// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "registry/catalog/detail/names.h"
#include "registry/catalog/detail/version_change.h"
#include "registry/catalog/detail/version_rows.h"
#include "registry/catalog/lineage.h"
#include "registry/catalog/model_version.h"

namespace cortex::registry {
namespace {

Result<std::optional<SemanticVersion>> find_greatest_semantic(
    store::Transaction& transaction, const std::string& workspace, std::int64_t model_id
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT major, minor, patch FROM model_version "
          "WHERE workspace = $1 AND model_id = $2 AND major IS NOT NULL "
          "ORDER BY major DESC, minor DESC, patch DESC LIMIT 1",
          {workspace, model_id}
      )
  );
  return rows.empty() ? std::nullopt : read_semantic(rows, 0, 0);
}

Status check_semantic_is_free(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    const SemanticVersion& semantic
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT version FROM model_version WHERE workspace = $1 AND model_id = $2 "
          "AND major = $3 AND minor = $4 AND patch = $5",
          {workspace, model_id, semantic.major, semantic.minor, semantic.patch}
      )
  );
  if (rows.empty()) return {};
  return already_exists(
      "semantic version " + to_text(semantic) + " is that of version " +
      std::to_string(rows.integer(0, 0))
  );
}

// The semantic version that a new version asks for, free to be taken.
Result<std::optional<SemanticVersion>> choose_semantic(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    const NewVersion& wanted
) {
  if (const auto* exact = std::get_if<SemanticVersion>(&wanted.semantic)) {
    CORTEX_RETURN_IF_ERROR(check_semantic_is_free(transaction, workspace, model_id, *exact));
    return std::optional(*exact);
  }
  if (const auto* increment = std::get_if<Increment>(&wanted.semantic)) {
    CORTEX_ASSIGN_OR_RETURN(
        const auto greatest, find_greatest_semantic(transaction, workspace, model_id)
    );
    return std::optional(next_version(greatest, *increment));
  }
  return std::optional<SemanticVersion>();
}

Status insert_version(
    store::Transaction& transaction,
    const Authorship& author,
    const NewVersion& wanted,
    const HeldModel& held,
    const std::optional<SemanticVersion>& semantic
) {
  const auto part = [&semantic](std::int64_t SemanticVersion::* member) {
    return semantic ? store::Value((*semantic).*member) : store::Value();
  };
  return transaction
      .execute(
          "INSERT INTO model_version (workspace, model_id, version, major, minor, patch, "
          "created_at, updated_at, author, description, source, location, run, run_link, "
          "logged_model, status, status_message, stage, deleted, deprecated_by, "
          "deprecation_reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, "
          "$13, $14, $15, '', 0, 0, '', '')",
          {author.workspace,
           held.id,
           held.greatest_version + 1,
           part(&SemanticVersion::major),
           part(&SemanticVersion::minor),
           part(&SemanticVersion::patch),
           author.at,
           author.user,
           wanted.description,
           wanted.source,
           wanted.location,
           wanted.run,
           wanted.run_link,
           wanted.logged_model,
           static_cast<std::int64_t>(wanted.status)}
      )
      .status();
}

Status check_new_version(const NewVersion& wanted) {
  CORTEX_RETURN_IF_ERROR(check_model_name(wanted.model));
  CORTEX_RETURN_IF_ERROR(check_description(wanted.description));
  return check_tags(wanted.tags);
}

}  // namespace

Result<ModelVersion> create_version(
    store::Transaction& transaction, const Authorship& author, const NewVersion& wanted
) {
  CORTEX_RETURN_IF_ERROR(check_new_version(wanted));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, wanted.model));
  CORTEX_ASSIGN_OR_RETURN(
      const auto semantic, choose_semantic(transaction, author.workspace, held.id, wanted)
  );
  CORTEX_RETURN_IF_ERROR(insert_version(transaction, author, wanted, held, semantic));
  const VersionId id{wanted.model, held.greatest_version + 1};
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE registered_model SET greatest_version = $2, updated_at = $3 WHERE id = $1",
              {held.id, id.version, author.at}
          )
          .status()
  );
  for (const auto& tag : wanted.tags) {
    CORTEX_RETURN_IF_ERROR(put_version_tag(transaction, author.workspace, held.id, id.version, tag)
    );
  }
  CORTEX_RETURN_IF_ERROR(append_audit(
      transaction,
      author,
      version_event(
          "created",
          id,
          {{"source", wanted.source},
           {"location", wanted.location},
           {"run", wanted.run},
           {"description", wanted.description},
           {"tags", tags_text(wanted.tags)},
           {"semantic", semantic ? AuditValue(to_text(*semantic)) : AuditValue()}}
      )
  ));
  if (wanted.baseline) {
    CORTEX_RETURN_IF_ERROR(set_baseline(transaction, author, id, wanted.baseline));
  }
  return find_version(transaction, author.workspace, id);
}

}  // namespace cortex::registry
