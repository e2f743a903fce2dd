// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/adapters/adapter_shelf.h"

namespace cortex::frontend::adapters {

// An adapter and how it is.
[[nodiscard]] std::string adapter_text(const registry::AdapterState& state);
[[nodiscard]] std::string adapter_list_text(
    const std::vector<registry::AdapterState>& states, bool loaded_only
);
[[nodiscard]] std::string memory_text(
    const std::vector<registry::AdapterState>& states, std::size_t adapters_max
);

// {"error": {"code", "message", "details", "timestamp", "request_id"}}.
[[nodiscard]] std::string lora_error_text(const Status& status, std::string_view request_id);
// vLLM's: {"error": {"message", "type", "param", "code"}}.
[[nodiscard]] std::string vllm_error_text(int http_status, const Status& status);

}  // namespace cortex::frontend::adapters
