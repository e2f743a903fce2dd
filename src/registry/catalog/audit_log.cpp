// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/audit_log.h"

#include <span>
#include <string_view>
#include <utility>

#include "registry/catalog/canonical_json.h"
#include "store/artifact_digest.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kRowsAtOnce = 1000;
constexpr std::size_t kHashDigits = 64;

std::string zeros() { return std::string(kHashDigits, '0'); }

std::string sha256(const std::string& text) {
  store::Digest digest;
  digest.add(std::as_bytes(std::span(text)));
  return digest.finish();
}

struct AppendValue {
  std::string& out;
  void operator()(std::monostate) const { out.append("null"); }
  void operator()(bool value) const { out.append(value ? "true" : "false"); }
  void operator()(std::int64_t value) const { out.append(std::to_string(value)); }
  void operator()(const std::string& value) const { append_canonical_string(out, value); }
};

struct CanonicalOrder {
  bool operator()(const std::string& left, const std::string& right) const {
    return canonical_less(left, right);
  }
};

std::string event_text(const Authorship& author, const AuditEvent& event, std::int64_t seq) {
  std::map<std::string, AuditValue, CanonicalOrder> fields(event.facts.begin(), event.facts.end());
  fields["action"] = event.action;
  fields["model"] = event.model;
  fields["seq"] = seq;
  fields["workspace"] = author.workspace;
  fields["user"] = author.user;
  fields["reason"] = author.reason;
  fields["at"] = author.at;
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    if (out.size() > 1) out.push_back(',');
    append_canonical_string(out, name);
    out.push_back(':');
    std::visit(AppendValue{out}, value);
  }
  return out.append("}");
}

// What is wrong with a row behind `head`; empty: nothing.
std::string fault_of(const AuditRow& row, const AuditHead& head) {
  if (row.seq != head.seq + 1) return "row " + std::to_string(head.seq + 1) + " is missing";
  if (row.prev_hash != head.hash) return "it does not follow the row before";
  if (row.hash != sha256(row.prev_hash + row.event)) return "its hash is not that of its event";
  return {};
}

std::optional<AuditBreak> check_known(
    const AuditHead& head, const std::optional<AuditHead>& known
) {
  if (!known || head.seq != known->seq || head.hash == known->hash) return std::nullopt;
  return AuditBreak{head.seq, "its hash is not the one that was known"};
}

}  // namespace

Result<AuditHead> audit_head(store::Transaction& transaction, const std::string& workspace) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT seq, hash FROM audit_event WHERE workspace = $1 ORDER BY seq DESC LIMIT 1",
          {workspace}
      )
  );
  if (rows.empty()) return AuditHead{0, zeros()};
  return AuditHead{rows.integer(0, 0), rows.text(0, 1)};
}

Status append_audit(
    store::Transaction& transaction, const Authorship& author, const AuditEvent& event
) {
  CORTEX_ASSIGN_OR_RETURN(const AuditHead head, audit_head(transaction, author.workspace));
  const std::string text = event_text(author, event, head.seq + 1);
  return transaction
      .execute(
          "INSERT INTO audit_event (workspace, seq, prev_hash, hash, event) "
          "VALUES ($1, $2, $3, $4, $5)",
          {author.workspace, head.seq + 1, head.hash, sha256(head.hash + text), text}
      )
      .status();
}

Result<std::vector<AuditRow>> read_audit(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t after,
    std::size_t limit
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT seq, prev_hash, hash, event FROM audit_event "
          "WHERE workspace = $1 AND seq > $2 ORDER BY seq LIMIT $3",
          {workspace, after, static_cast<std::int64_t>(limit)}
      )
  );
  std::vector<AuditRow> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back({rows.integer(i, 0), rows.text(i, 1), rows.text(i, 2), rows.text(i, 3)});
  }
  return out;
}

Result<AuditVerdict> verify_audit(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::optional<AuditHead>& known
) {
  AuditVerdict verdict;
  verdict.head = {0, zeros()};
  while (true) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::vector<AuditRow> rows,
        read_audit(transaction, workspace, verdict.head.seq, kRowsAtOnce)
    );
    for (const AuditRow& row : rows) {
      if (std::string fault = fault_of(row, verdict.head); !fault.empty()) {
        verdict.broken = AuditBreak{row.seq, std::move(fault)};
        return verdict;
      }
      verdict.head = {row.seq, row.hash};
      verdict.broken = check_known(verdict.head, known);
      if (verdict.broken) return verdict;
    }
    if (rows.size() < kRowsAtOnce) break;
  }
  if (known && known->seq > verdict.head.seq) {
    verdict.broken = AuditBreak{verdict.head.seq + 1, "it is missing, and was known"};
  }
  return verdict;
}

}  // namespace cortex::registry
