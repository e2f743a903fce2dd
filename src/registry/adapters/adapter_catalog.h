// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "registry/adapters/adapter.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::registry {

inline constexpr std::size_t kAdaptersMax = 10'000;  // that are registered

// Functions over a transaction; every change is noted in the feed as "adapter".

[[nodiscard]] const store::Schema& adapter_schema();

// By name.
[[nodiscard]] Result<std::vector<AdapterRecord>> read_adapters(store::Transaction& transaction);
// Writes all of it, in the place of one of the same name. kResourceExhausted: kAdaptersMax.
[[nodiscard]] Status put_adapter(store::Transaction& transaction, const AdapterRecord& adapter);
// kNotFound.
[[nodiscard]] Status delete_adapter(store::Transaction& transaction, const std::string& name);

}  // namespace cortex::registry
