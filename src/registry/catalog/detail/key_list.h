// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::registry {

// Runs a query for many keys, some hundred at once. `sql` has {keys} where the list of keys goes
// ("… WHERE workspace = $1 AND model_id IN ({keys})", or "… (model_id, version) IN ({keys})" with a
// width of 2) and takes the workspace as $1. The list comes in few lengths, so that the database
// prepares few statements; the rows of a part go to `take`.
[[nodiscard]] Status query_keys(
    store::Transaction& transaction,
    std::string_view sql,
    const std::string& workspace,
    std::size_t width,
    std::span<const std::int64_t> keys,
    const std::function<void(const store::Rows&)>& take
);

}  // namespace cortex::registry
