// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/authorship.h"
#include "store/transaction.h"

namespace cortex::registry {

// A model whose aliases change in this transaction.
struct AliasOwner {
  std::int64_t model_id = 0;
  std::string model;
  std::int64_t revision = 0;
};

// Where an alias stands; all 0: it never changed. The row stays when the alias goes (version 0), so
// that its place in the history is not lost.
struct AliasRow {
  std::int64_t version = 0;
  std::int64_t seq = 0;
  std::int64_t revision = 0;
};
[[nodiscard]] Result<AliasRow> find_alias_row(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    const std::string& alias
);

struct AliasMove {
  std::string alias;
  AliasAction action = AliasAction::kSet;
  AliasRow from;
  std::int64_t to = 0;
};
// Moves the alias, adds to its history and to the audit log.
[[nodiscard]] Result<AliasEntry> move_alias(
    store::Transaction& transaction,
    const Authorship& author,
    const AliasOwner& owner,
    const AliasMove& move
);

// Takes away the aliases of a version, or of the whole model.
[[nodiscard]] Status drop_aliases(
    store::Transaction& transaction,
    const Authorship& author,
    const AliasOwner& owner,
    AliasAction action,
    const std::optional<std::int64_t>& version
);

}  // namespace cortex::registry
