// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "frontend/http/exchange.h"

namespace cortex::frontend::admin {

// The bodies of this folder's routes and of the models' APIs; an Api may bring its own.
[[nodiscard]] std::span<const Schema> schemas();

}  // namespace cortex::frontend::admin
