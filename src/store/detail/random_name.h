// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cortex::store {

// 32 random hexadecimal digits.
[[nodiscard]] std::string random_name();

}  // namespace cortex::store
