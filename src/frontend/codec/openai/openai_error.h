// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/status.h"

namespace cortex::frontend::openai {

// {"error":{"message":…,"type":…,"param":…,"code":…}}: the body of an error, and the event that
// ends a stream. `code` is the status's reason where it has one, else the word of its code.
[[nodiscard]] std::string error_text(const Status& status);

}  // namespace cortex::frontend::openai
