// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signature_policy.h"

#include <array>
#include <utility>

#include "registry/catalog/audit_log.h"
#include "registry/catalog/registered_model.h"

namespace cortex::registry {
namespace {

// The bundle and the files of a version are bound at the first look, by the folder of its
// artifacts; an empty bundle: it had none then.
constexpr std::string_view kTables = R"(
CREATE TABLE signature_policy (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  alias {text} NOT NULL,
  policy BIGINT NOT NULL,
  allowed_version BIGINT NOT NULL,
  refused_version BIGINT NOT NULL,
  refused_reason {text} NOT NULL,
  PRIMARY KEY (workspace, model_id, alias)
);
CREATE TABLE version_signature (
  workspace {text} NOT NULL,
  model_id BIGINT NOT NULL,
  location {text} NOT NULL,
  files_digest {text} NOT NULL,
  bundle {text} NOT NULL,
  fault {text} NOT NULL,
  examined_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, model_id, location)
);
)";

constexpr std::array<std::string_view, 1> kSteps = {kTables};
constexpr std::array<std::string_view, 3> kNames = {"off", "warn", "require"};
constexpr std::size_t kAliasBytesMax = 255;
constexpr std::string_view kColumns =
    "alias, policy, allowed_version, refused_version, refused_reason";

AliasPolicy read_policy(const store::Rows& rows, std::size_t row, std::size_t column) {
  return {
      static_cast<SignaturePolicy>(rows.integer(row, column)),
      rows.integer(row, column + 1),
      rows.integer(row, column + 2),
      rows.text(row, column + 3)
  };
}

Status put_policy(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t identity,
    const std::string& alias,
    SignaturePolicy policy
) {
  if (policy == SignaturePolicy::kOff) {
    return transaction
        .execute(
            "DELETE FROM signature_policy WHERE workspace = $1 AND model_id = $2 AND alias = $3",
            {workspace, identity, alias}
        )
        .status();
  }
  return transaction
      .execute(
          "INSERT INTO signature_policy (workspace, model_id, alias, policy, allowed_version, "
          "refused_version, refused_reason) VALUES ($1, $2, $3, $4, 0, 0, '') "
          "ON CONFLICT (workspace, model_id, alias) DO UPDATE SET policy = excluded.policy, "
          "refused_version = 0, refused_reason = ''",
          {workspace, identity, alias, static_cast<std::int64_t>(policy)}
      )
      .status();
}

}  // namespace

std::string_view policy_name(SignaturePolicy policy) {
  return kNames[static_cast<std::size_t>(policy)];
}

Result<SignaturePolicy> parse_policy(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<SignaturePolicy>(i);
  }
  return invalid_argument("A signature policy is one of off, warn, require.");
}

const store::Schema& signing_schema() {
  static constexpr store::Schema kSchema{"signing", kSteps};
  return kSchema;
}

Status set_signature_policy(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& model,
    const std::string& alias,
    SignaturePolicy policy
) {
  if (alias.empty() || alias.size() > kAliasBytesMax) {
    return invalid_argument("A registered model alias has 1 to 255 characters.");
  }
  CORTEX_RETURN_IF_ERROR(
      transaction.note_change("model", change_key(author.workspace, model)).status()
  );
  CORTEX_ASSIGN_OR_RETURN(
      const RegisteredModel found, find_model(transaction, author.workspace, model)
  );
  CORTEX_RETURN_IF_ERROR(put_policy(transaction, author.workspace, found.identity, alias, policy));
  AuditEvent event{"alias.policy_set", model, {}};
  event.facts["alias"] = alias;
  event.facts["policy"] = std::string(policy_name(policy));
  return append_audit(transaction, author, event);
}

Result<PoliciesByModel> signature_policies(
    store::Transaction& transaction, const std::string& workspace
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT model_id, " + std::string(kColumns) +
              " FROM signature_policy WHERE workspace = $1",
          {workspace}
      )
  );
  PoliciesByModel out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out[rows.integer(i, 0)][rows.text(i, 1)] = read_policy(rows, i, 2);
  }
  return out;
}

Result<std::map<std::string, AliasPolicy>> signature_policies(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
) {
  CORTEX_ASSIGN_OR_RETURN(const RegisteredModel found, find_model(transaction, workspace, model));
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kColumns) +
              " FROM signature_policy WHERE workspace = $1 AND model_id = $2 ORDER BY alias",
          {workspace, found.identity}
      )
  );
  std::map<std::string, AliasPolicy> out;
  for (std::size_t i = 0; i < rows.size(); ++i) out[rows.text(i, 0)] = read_policy(rows, i, 1);
  return out;
}

Status note_policy_outcome(
    store::Transaction& transaction,
    const PolicyPlace& place,
    const AliasPolicy& outcome,
    std::int64_t at
) {
  CORTEX_RETURN_IF_ERROR(
      transaction.note_change("model", change_key(place.workspace, place.model)).status()
  );
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kColumns) +
              " FROM signature_policy WHERE workspace = $1 AND model_id = $2 AND alias = $3",
          {place.workspace, place.identity, place.alias}
      )
  );
  if (rows.empty()) return {};
  const AliasPolicy before = read_policy(rows, 0, 1);
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE signature_policy SET allowed_version = $4, refused_version = $5, "
              "refused_reason = $6 WHERE workspace = $1 AND model_id = $2 AND alias = $3",
              {place.workspace,
               place.identity,
               place.alias,
               outcome.allowed,
               outcome.refused,
               outcome.reason}
          )
          .status()
  );
  const bool same = before.refused == outcome.refused && before.reason == outcome.reason;
  if (outcome.refused == 0 || same) return {};
  const bool required = before.policy == SignaturePolicy::kRequire;
  AuditEvent event{required ? "alias.refused" : "alias.warned", place.model, {}};
  event.facts["alias"] = place.alias;
  event.facts["version"] = outcome.refused;
  event.facts["why"] = outcome.reason;
  return append_audit(transaction, {place.workspace, "", "", at}, event);
}

}  // namespace cortex::registry
