// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace cortex::app {

// A model folder as JSON, read as the server would read it: configuration, versions, fields without
// effect. The error says what is wrong with it. For `cortex models inspect DIR`.
[[nodiscard]] Result<std::string> inspect_folder(const std::string& folder);

}  // namespace cortex::app
