// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cortex::tracking {

// 32 hexadecimal digits that were never used before.
[[nodiscard]] std::string new_id();
// A name for a thing that its maker did not name: "steady-heron-417".
[[nodiscard]] std::string new_name();

}  // namespace cortex::tracking
