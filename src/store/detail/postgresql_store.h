// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "base/status.h"
#include "store/store.h"

namespace cortex::store {

// open_store() for a libpq address.
[[nodiscard]] Result<std::unique_ptr<Store>> open_postgresql_store(
    const StoreOptions& options, std::span<const Schema> schemas
);

}  // namespace cortex::store
