// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::store {

// What an SQLSTATE means to our callers; `detail` goes to the log.
[[nodiscard]] Status postgresql_status(std::string_view state, std::string detail);

// The database cannot be reached; `detail` says what happened to the connection.
[[nodiscard]] Status lost_connection(std::string detail);

}  // namespace cortex::store
