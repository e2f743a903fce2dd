// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "store/store.h"

namespace cortex::store {

// One statement as a work of its own; waits.
[[nodiscard]] inline Status write_sql(
    Store& store,
    const std::string& sql,
    const std::vector<Value>& parameters = {},
    Durability durability = Durability::kStrict
) {
  return store.write_and_wait(
      [&](Transaction& transaction) {
        return transaction.execute(sql, std::span<const Value>(parameters)).status();
      },
      durability
  );
}

[[nodiscard]] inline Result<Rows> read_sql(
    Store& store, const std::string& sql, const std::vector<Value>& parameters = {}
) {
  Rows rows;
  CORTEX_RETURN_IF_ERROR(store.read_and_wait([&](Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(rows, transaction.query(sql, std::span<const Value>(parameters)));
    return {};
  }));
  return rows;
}

// The integer in the first cell of what a statement gives. CHECKs that it gives one.
[[nodiscard]] inline std::int64_t read_integer(
    Store& store, const std::string& sql, const std::vector<Value>& parameters = {}
) {
  const Result<Rows> rows = read_sql(store, sql, parameters);
  CHECK(rows.ok(), rows.status().to_string().c_str());
  return rows->integer(0, 0);
}

}  // namespace cortex::store
