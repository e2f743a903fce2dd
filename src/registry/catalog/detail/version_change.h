// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "registry/catalog/detail/model_rows.h"
#include "registry/catalog/model_version.h"
#include "store/transaction.h"

namespace cortex::registry {

// A version that this transaction is about to change; its model is held.
struct HeldVersion {
  HeldModel model;
  VersionStatus status = VersionStatus::kReady;
};
// The first statement of every change of a version. kNotFound: no such model or version.
[[nodiscard]] Result<HeldVersion> hold_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
);

// The event of a change of a version: "version.<what>", its number among the facts.
[[nodiscard]] AuditEvent version_event(
    std::string what, const VersionId& id, std::map<std::string, AuditValue> facts = {}
);

[[nodiscard]] Status put_version_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    std::int64_t version,
    const Tags::value_type& tag
);

// Where a version stands, if it does; a tombstone does not.
[[nodiscard]] Result<std::optional<std::int64_t>> find_version_model(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
);

}  // namespace cortex::registry
