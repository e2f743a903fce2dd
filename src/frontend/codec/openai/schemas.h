// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "frontend/http/exchange.h"

namespace cortex::frontend::openai {

// What the bodies of chats and completions look like, for /openapi.json. Static.
[[nodiscard]] std::span<const Schema> generation_schemas();

}  // namespace cortex::frontend::openai
