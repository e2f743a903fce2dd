// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "registry/catalog/model_version.h"
#include "store/transaction.h"

namespace cortex::registry {

enum class AliasAction : std::uint8_t { kSet, kDeleted, kRolledBack, kVersionDeleted };

// "set", "deleted", "rolled_back", "version_deleted".
[[nodiscard]] std::string_view alias_action_name(AliasAction action);

// One change of an alias, kept for ever. Version 0: the alias did not (does not) stand.
struct AliasEntry {
  std::string model;
  std::string alias;
  std::int64_t seq = 0;  // 1, 2, 3 … of this alias; 0: it never changed
  AliasAction action = AliasAction::kSet;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::string user;
  std::string reason;
  std::int64_t at = 0;        // milliseconds since the epoch
  std::int64_t revision = 0;  // the store's
};

// What a change expects; where it is not so, nothing changes: kAborted, with both values in the
// text.
struct AliasExpectation {
  std::optional<std::int64_t> version;   // 0: that the alias does not stand
  std::optional<std::int64_t> revision;  // of its last change; 0: that it never changed
};

struct AliasChange {
  std::string model;
  std::string alias;         // 1 to 255 of [A-Za-z0-9_-]; not "latest", not "v<digits>"
  std::int64_t version = 0;  // 0 deletes the alias
  AliasExpectation expected;
};

// All or none of them, of one or several models; whoever reads sees either. An alias that points
// there already (or is to go and does not stand) gives its last entry and no new one. kNotFound: no
// such model or version. kInvalidArgument: a bad alias, or the same alias twice. The entries are in
// the order of the changes.
[[nodiscard]] Result<std::vector<AliasEntry>> set_aliases(
    store::Transaction& transaction, const Authorship& author, std::span<const AliasChange> changes
);

// Points the alias to what it pointed to before its last change, as a new entry: twice is back
// where it was. kNotFound: it never changed. kFailedPrecondition: that version was deleted.
[[nodiscard]] Result<AliasEntry> rollback_alias(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& model,
    const std::string& alias,
    const AliasExpectation& expected = {}
);

// Newest first, at most `limit`, those before that seq; 0 begins at the newest.
[[nodiscard]] Result<std::vector<AliasEntry>> alias_history(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias,
    std::int64_t before,
    std::size_t limit
);

// Its last change, the revision of which is what a change may expect; nullopt: it never changed.
[[nodiscard]] Result<std::optional<AliasEntry>> find_alias(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias
);

// The number of the version behind the alias; "latest" (in any case of letters) is the greatest
// ready one; nullopt: the alias does not stand. One indexed statement, whatever the number of
// versions. kNotFound: no such model.
[[nodiscard]] Result<std::optional<std::int64_t>> resolve_alias(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& alias
);

}  // namespace cortex::registry
