// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "frontend/http/exchange.h"

namespace cortex::frontend::responses {

// Bodies of the routes, for /openapi.json.
[[nodiscard]] std::span<const Schema> responses_schemas();

}  // namespace cortex::frontend::responses
