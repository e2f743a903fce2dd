// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/status.h"

namespace cortex::store {

// Writes a copy of the committed state of the file `path` to the new file `to`, through a
// connection of its own. `to` appears when it is whole and synced. kAlreadyExists when it is there
// already.
[[nodiscard]] Status backup_sqlite(const std::string& path, const std::filesystem::path& to);

// kDataLoss with the first faults of the file.
[[nodiscard]] Status check_sqlite(const std::string& path);

}  // namespace cortex::store
