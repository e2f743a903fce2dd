// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cortex::frontend {

// 32 random hexadecimal digits, of the system's own source: what the ids of answers are made of.
// Never of what a client sent: two requests may carry the same x-request-id. Any thread.
[[nodiscard]] std::string random_stem();

}  // namespace cortex::frontend
