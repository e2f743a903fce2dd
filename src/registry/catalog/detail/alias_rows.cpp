// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/alias_rows.h"

#include "registry/catalog/audit_log.h"

namespace cortex::registry {
namespace {

Status put_alias(
    store::Transaction& transaction,
    const Authorship& author,
    std::int64_t model_id,
    const AliasEntry& entry
) {
  return transaction
      .execute(
          "INSERT INTO model_alias (workspace, model_id, alias, version, seq, revision) "
          "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace, model_id, alias) DO UPDATE "
          "SET version = excluded.version, seq = excluded.seq, revision = excluded.revision",
          {author.workspace, model_id, entry.alias, entry.to, entry.seq, entry.revision}
      )
      .status();
}

Status add_history(
    store::Transaction& transaction,
    const Authorship& author,
    std::int64_t model_id,
    const AliasEntry& entry
) {
  return transaction
      .execute(
          "INSERT INTO alias_history (workspace, model_id, alias, seq, action, from_version, "
          "to_version, author, reason, at, revision) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
          {author.workspace,
           model_id,
           entry.alias,
           entry.seq,
           static_cast<std::int64_t>(entry.action),
           entry.from,
           entry.to,
           entry.user,
           entry.reason,
           entry.at,
           entry.revision}
      )
      .status();
}

AuditEvent audit_event(const AliasEntry& entry) {
  AuditEvent event;
  event.action = "alias." + std::string(alias_action_name(entry.action));
  event.model = entry.model;
  event.facts = {
      {"alias", entry.alias},
      {"alias_seq", entry.seq},
      {"from", entry.from},
      {"to", entry.to},
      {"revision", entry.revision},
  };
  return event;
}

}  // namespace

Result<AliasRow> find_alias_row(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    const std::string& alias
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT version, seq, revision FROM model_alias "
          "WHERE workspace = $1 AND model_id = $2 AND alias = $3",
          {workspace, model_id, alias}
      )
  );
  if (rows.empty()) return AliasRow{};
  return AliasRow{rows.integer(0, 0), rows.integer(0, 1), rows.integer(0, 2)};
}

Result<AliasEntry> move_alias(
    store::Transaction& transaction,
    const Authorship& author,
    const AliasOwner& owner,
    const AliasMove& move
) {
  AliasEntry entry;
  entry.model = owner.model;
  entry.alias = move.alias;
  entry.seq = move.from.seq + 1;
  entry.action = move.action;
  entry.from = move.from.version;
  entry.to = move.to;
  entry.user = author.user;
  entry.reason = author.reason;
  entry.at = author.at;
  entry.revision = owner.revision;
  CORTEX_RETURN_IF_ERROR(put_alias(transaction, author, owner.model_id, entry));
  CORTEX_RETURN_IF_ERROR(add_history(transaction, author, owner.model_id, entry));
  CORTEX_RETURN_IF_ERROR(append_audit(transaction, author, audit_event(entry)));
  return entry;
}

Status drop_aliases(
    store::Transaction& transaction,
    const Authorship& author,
    const AliasOwner& owner,
    AliasAction action,
    const std::optional<std::int64_t>& version
) {
  std::string sql =
      "SELECT alias, version, seq, revision FROM model_alias "
      "WHERE workspace = $1 AND model_id = $2 AND version > 0";
  std::vector<store::Value> parameters = {author.workspace, owner.model_id};
  if (version) {
    sql += " AND version = $3";
    parameters.emplace_back(*version);
  }
  sql += " ORDER BY alias";
  CORTEX_ASSIGN_OR_RETURN(const store::Rows rows, transaction.query(sql, parameters));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const AliasRow from{rows.integer(i, 1), rows.integer(i, 2), rows.integer(i, 3)};
    CORTEX_RETURN_IF_ERROR(
        move_alias(transaction, author, owner, {rows.text(i, 0), action, from, 0}).status()
    );
  }
  return {};
}

}  // namespace cortex::registry
