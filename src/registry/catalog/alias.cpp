// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/alias.h"

#include <array>
#include <map>
#include <set>
#include <utility>

#include "registry/catalog/detail/alias_rows.h"
#include "registry/catalog/detail/model_rows.h"
#include "registry/catalog/detail/names.h"

namespace cortex::registry {
namespace {

Status check_change(const AliasChange& change) {
  CORTEX_RETURN_IF_ERROR(check_model_name(change.model));
  CORTEX_RETURN_IF_ERROR(check_alias_name(change.alias));
  if (change.version < 0) return invalid_argument("A version is a positive number.");
  // What stood here before the names were reserved may still be taken away.
  if (change.version == 0 || !is_reserved_alias(change.alias)) return {};
  if (is_latest(change.alias)) {
    return invalid_argument("'latest' alias name (case insensitive) is reserved.");
  }
  return invalid_argument("Version alias name '" + change.alias + "' is reserved.");
}

Status check_changes(std::span<const AliasChange> changes) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const AliasChange& change : changes) {
    CORTEX_RETURN_IF_ERROR(check_change(change));
    if (!seen.emplace(change.model, change.alias).second) {
      return invalid_argument(
          "alias '" + change.alias + "' of model '" + change.model + "' is changed twice"
      );
    }
  }
  return {};
}

std::string version_text(std::int64_t version) {
  return version == 0 ? "no version" : "version " + std::to_string(version);
}

Status conflict(const std::string& alias, const std::string& expected, const std::string& found) {
  return {Code::kAborted, "alias '" + alias + "': expected " + expected + ", found " + found};
}

Status check_expectation(
    const std::string& alias, const AliasExpectation& expected, const AliasRow& found
) {
  if (expected.version && *expected.version != found.version) {
    return conflict(alias, version_text(*expected.version), version_text(found.version));
  }
  if (expected.revision && *expected.revision != found.revision) {
    return conflict(
        alias,
        "revision " + std::to_string(*expected.revision),
        "revision " + std::to_string(found.revision)
    );
  }
  return {};
}

// Whether an alias may point there.
Result<bool> version_stands(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    std::int64_t version
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT 1 FROM model_version "
          "WHERE workspace = $1 AND model_id = $2 AND version = $3 AND deleted = 0",
          {workspace, model_id, version}
      )
  );
  return !rows.empty();
}

AliasEntry read_entry(const std::string& model, const store::Rows& rows, std::size_t row) {
  AliasEntry entry;
  entry.model = model;
  entry.alias = rows.text(row, 0);
  entry.seq = rows.integer(row, 1);
  entry.action = static_cast<AliasAction>(rows.integer(row, 2));
  entry.from = rows.integer(row, 3);
  entry.to = rows.integer(row, 4);
  entry.user = rows.text(row, 5);
  entry.reason = rows.text(row, 6);
  entry.at = rows.integer(row, 7);
  entry.revision = rows.integer(row, 8);
  return entry;
}

constexpr std::string_view kEntryColumns =
    "alias, seq, action, from_version, to_version, author, reason, at, revision";

// The entry that led to where the alias stands; one that names it alone when it never changed.
Result<AliasEntry> last_entry(
    store::Transaction& transaction,
    const std::string& workspace,
    const AliasOwner& owner,
    const std::string& alias
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kEntryColumns) +
              " FROM alias_history WHERE workspace = $1 AND model_id = $2 AND alias = $3 "
              "ORDER BY seq DESC LIMIT 1",
          {workspace, owner.model_id, alias}
      )
  );
  if (!rows.empty()) return read_entry(owner.model, rows, 0);
  AliasEntry never;
  never.model = owner.model;
  never.alias = alias;
  return never;
}

Result<AliasEntry> change_alias(
    store::Transaction& transaction,
    const Authorship& author,
    const AliasOwner& owner,
    const AliasChange& change
) {
  CORTEX_ASSIGN_OR_RETURN(
      const AliasRow from,
      find_alias_row(transaction, author.workspace, owner.model_id, change.alias)
  );
  CORTEX_RETURN_IF_ERROR(check_expectation(change.alias, change.expected, from));
  if (from.version == change.version) {
    return last_entry(transaction, author.workspace, owner, change.alias);
  }
  if (change.version == 0) {
    return move_alias(transaction, author, owner, {change.alias, AliasAction::kDeleted, from, 0});
  }
  CORTEX_ASSIGN_OR_RETURN(
      const bool stands,
      version_stands(transaction, author.workspace, owner.model_id, change.version)
  );
  if (!stands) {
    return not_found(
        "Model Version (name=" + owner.model + ", version=" + std::to_string(change.version) +
        ") not found"
    );
  }
  return move_alias(
      transaction, author, owner, {change.alias, AliasAction::kSet, from, change.version}
  );
}

}  // namespace

std::string_view alias_action_name(AliasAction action) {
  constexpr std::array<std::string_view, 4> kNames = {
      "set", "deleted", "rolled_back", "version_deleted"
  };
  return kNames[static_cast<std::size_t>(action)];
}

Result<std::vector<AliasEntry>> set_aliases(
    store::Transaction& transaction, const Authorship& author, std::span<const AliasChange> changes
) {
  CORTEX_RETURN_IF_ERROR(check_changes(changes));
  std::map<std::string, AliasOwner> owners;
  std::vector<AliasEntry> entries;
  for (const AliasChange& change : changes) {
    auto owner = owners.find(change.model);
    if (owner == owners.end()) {
      CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, change.model));
      const AliasOwner made{held.id, change.model, held.revision};
      owner = owners.emplace(change.model, made).first;
    }
    CORTEX_ASSIGN_OR_RETURN(
        AliasEntry entry, change_alias(transaction, author, owner->second, change)
    );
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<AliasEntry> rollback_alias(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& model,
    const std::string& alias,
    const AliasExpectation& expected
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(model));
  CORTEX_RETURN_IF_ERROR(check_alias_name(alias));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, model));
  const AliasOwner owner{held.id, model, held.revision};
  CORTEX_ASSIGN_OR_RETURN(
      const AliasRow from, find_alias_row(transaction, author.workspace, held.id, alias)
  );
  CORTEX_RETURN_IF_ERROR(check_expectation(alias, expected, from));
  CORTEX_ASSIGN_OR_RETURN(
      const AliasEntry last, last_entry(transaction, author.workspace, owner, alias)
  );
  if (last.seq == 0)
    return not_found("alias '" + alias + "' of model '" + model + "' never changed");
  if (last.from != 0) {
    CORTEX_ASSIGN_OR_RETURN(
        const bool stands, version_stands(transaction, author.workspace, held.id, last.from)
    );
    if (!stands) {
      return failed_precondition(
          "alias '" + alias + "' cannot go back to version " + std::to_string(last.from) +
          ": it was deleted"
      );
    }
  }
  return move_alias(transaction, author, owner, {alias, AliasAction::kRolledBack, from, last.from});
}

Result<std::vector<AliasEntry>> alias_history(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias,
    std::int64_t before,
    std::size_t limit
) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, find_model_id(transaction, workspace, model));
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kEntryColumns) +
              " FROM alias_history WHERE workspace = $1 AND model_id = $2 AND alias = $3 "
              "AND ($4 = 0 OR seq < $4) ORDER BY seq DESC LIMIT $5",
          {workspace, id, alias, before, static_cast<std::int64_t>(limit)}
      )
  );
  std::vector<AliasEntry> entries;
  for (std::size_t i = 0; i < rows.size(); ++i) entries.push_back(read_entry(model, rows, i));
  return entries;
}

Result<std::optional<AliasEntry>> find_alias(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias
) {
  CORTEX_ASSIGN_OR_RETURN(
      std::vector<AliasEntry> entries, alias_history(transaction, workspace, model, alias, 0, 1)
  );
  if (entries.empty()) return std::optional<AliasEntry>();
  return std::optional(std::move(entries.front()));
}

Result<std::optional<std::int64_t>> resolve_alias(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias
) {
  // A row whenever there is such a model, with or without the alias.
  constexpr std::string_view kByAlias =
      "SELECT a.version FROM registered_model m "
      "LEFT JOIN model_alias a ON a.workspace = m.workspace AND a.model_id = m.id "
      "AND a.alias = $3 AND a.version > 0 "
      "WHERE m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL";
  constexpr std::string_view kNewest =
      "SELECT (SELECT max(v.version) FROM model_version v WHERE v.workspace = m.workspace "
      "AND v.model_id = m.id AND v.deleted = 0 AND v.status = $3) FROM registered_model m "
      "WHERE m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL";
  CORTEX_RETURN_IF_ERROR(check_model_name(model));
  CORTEX_RETURN_IF_ERROR(check_alias_name(alias));
  const bool latest = is_latest(alias);
  const store::Value last =
      latest ? store::Value(static_cast<std::int64_t>(VersionStatus::kReady)) : store::Value(alias);
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(latest ? kNewest : kByAlias, {workspace, model, last})
  );
  if (rows.empty()) return model_not_found(model);
  if (rows.is_null(0, 0)) return std::optional<std::int64_t>();
  return std::optional(rows.integer(0, 0));
}

}  // namespace cortex::registry
