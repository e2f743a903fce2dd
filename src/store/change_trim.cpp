// SPDX-License-Identifier: Apache-2.0
#include "store/change_trim.h"

#include <algorithm>

namespace cortex::store {

Result<bool> changes_were_trimmed(Transaction& transaction, std::int64_t revision) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query("SELECT revision FROM store_change ORDER BY revision LIMIT 1", {})
  );
  return !rows.empty() && rows.integer(0, 0) > revision + 1;
}

Result<std::int64_t> trim_changes(Transaction& transaction, std::int64_t keep) {
  return transaction.execute(
      "DELETE FROM store_change WHERE revision <= (SELECT MAX(revision) FROM store_change) - $1",
      {std::max<std::int64_t>(keep, 1)}
  );
}

}  // namespace cortex::store
