// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"
#include "cli/command_line.h"

namespace cortex::app {

// The hooks behind `cortex sign` and `cortex verify`. kInvalidArgument: what was asked for cannot
// be asked; anything else: it was, and failed. Block.
[[nodiscard]] Result<std::string> sign_model(const cli::SignRequest& request);
[[nodiscard]] Result<std::string> verify_model(const cli::VerifyRequest& request);

}  // namespace cortex::app
