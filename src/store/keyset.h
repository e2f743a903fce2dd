// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// Pages by the last row instead of by a count: a page begins behind the row where the one before
// ended, so deep pages cost what the first one does, and rows that come or go move nothing else.

// One element of an ordering that together tells every two rows apart.
struct SortKey {
  std::string expression;  // SQL of ours; never NULL
  bool ascending = true;
};

// Appends "a ASC, b DESC".
void append_order(std::string& sql, std::span<const SortKey> keys);

// Appends the condition for rows behind `last`, the values of the keys in the last row:
// "(a >= $1 AND (a > $1 OR (b <= $2 AND (b < $2))))". REQUIRES: as many values as keys.
void append_behind(
    std::string& sql,
    std::vector<Value>& parameters,
    std::span<const SortKey> keys,
    std::span<const Value> last
);

// An opaque token for a row, bound to `query`: any text that tells what was searched and in which
// order.
[[nodiscard]] std::string make_page_token(std::string_view query, std::span<const Value> last);
// kInvalidArgument: it is no token, or one of another query.
[[nodiscard]] Result<std::vector<Value>> read_page_token(
    std::string_view query, std::string_view token
);

}  // namespace cortex::store
