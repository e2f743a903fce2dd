// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace cortex::app {

// A model folder as JSON, as a server on this machine would run it: versions, fields without
// effect, and the configuration with all that the file left open. For that its newest version is
// loaded; where it does not load the configuration is as it is written, and "fault" says why. The
// error says what is wrong with the folder. For `cortex models inspect DIR`. Blocks.
[[nodiscard]] Result<std::string> inspect_folder(const std::string& folder);

}  // namespace cortex::app
