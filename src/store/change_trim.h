// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// True when entries after `revision` may have been trimmed: what was missed is not known, and
// whoever followed the feed reads everything anew.
[[nodiscard]] Result<bool> changes_were_trimmed(Transaction& transaction, std::int64_t revision);
// Removes all entries but about `keep` of the newest ones; how many. Whoever follows the feed looks
// at it within seconds of a change.
[[nodiscard]] Result<std::int64_t> trim_changes(Transaction& transaction, std::int64_t keep);

}  // namespace cortex::store
