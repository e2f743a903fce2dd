// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace cortex::store {

// What an extended result code of SQLite means to our callers; `detail` goes to the log.
[[nodiscard]] Status sqlite_status(int code, std::string detail);

}  // namespace cortex::store
