// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "frontend/http/exchange.h"

namespace cortex::frontend::adapters {

// The bodies of the two APIs.
[[nodiscard]] std::span<const Schema> lora_schemas();
[[nodiscard]] std::span<const Schema> vllm_schemas();

}  // namespace cortex::frontend::adapters
