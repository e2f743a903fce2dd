// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/status.h"
#include "store/detail/connection.h"
#include "store/store.h"

namespace cortex::store {

// kFailedPrecondition when a room's tables are newer than this program. Only reads.
[[nodiscard]] Status check_versions(Connection& connection, std::span<const Schema> schemas);

// Brings the store's own tables and every room's to the newest version. REQUIRES: the caller began
// a transaction that no other process can begin meanwhile, and commits or rolls it back.
[[nodiscard]] Status apply_steps(Connection& connection, std::span<const Schema> schemas);

// The newest revision of the change feed.
[[nodiscard]] Result<std::int64_t> read_revision(Connection& connection);

}  // namespace cortex::store
