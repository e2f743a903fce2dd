// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "store/transaction.h"

namespace cortex::registry {

// What the audit log keeps of one change: who, what and the facts, as one flat JSON object.
using AuditValue = std::variant<std::monostate, bool, std::int64_t, std::string>;
struct AuditEvent {
  std::string action;  // "alias.set", "version.created", …
  std::string model;
  std::map<std::string, AuditValue> facts;  // names other than those of the fields of an event
};

// One row of the chain of a workspace. hash = SHA-256(prev_hash as 64 digits, then the bytes of
// event); event is canonical JSON (RFC 8785) and holds its own seq. The first prev_hash is 64
// zeros.
struct AuditRow {
  std::int64_t seq = 0;  // 1, 2, 3 …
  std::string prev_hash;
  std::string hash;
  std::string event;
};

// REQUIRES: the transaction has noted a change before, which keeps other writers out of the chain;
// all text is UTF-8.
[[nodiscard]] Status append_audit(
    store::Transaction& transaction, const Authorship& author, const AuditEvent& event
);

// Rows behind `after`, in order, at most `limit`.
[[nodiscard]] Result<std::vector<AuditRow>> read_audit(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t after,
    std::size_t limit
);

// The end of the chain. Whoever keeps one elsewhere can later tell that rows were cut off.
struct AuditHead {
  std::int64_t seq = 0;
  std::string hash;
};

// Where the chain stands; seq 0: it is empty.
[[nodiscard]] Result<AuditHead> audit_head(
    store::Transaction& transaction, const std::string& workspace
);

struct AuditBreak {
  std::int64_t seq = 0;
  std::string reason;
};

struct AuditVerdict {
  AuditHead head;                    // as far as the chain holds
  std::optional<AuditBreak> broken;  // the first row that does not hold
};

// Walks the whole chain; `known` is a head that was seen before and must still be in it.
[[nodiscard]] Result<AuditVerdict> verify_audit(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::optional<AuditHead>& known = {}
);

}  // namespace cortex::registry
