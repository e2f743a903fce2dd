// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "registry/adapters/adapter.h"

namespace cortex::frontend::adapters {

// The bodies are followed by Buffer::kPadding readable bytes. kInvalidArgument names the field.

// Of POST /api/v1/lora/register. Unknown fields are refused.
[[nodiscard]] Result<registry::AdapterRecord> read_registration(std::string_view padded_body);

struct AdapterSwap {
  std::string old_name;
  std::string new_name;
};
[[nodiscard]] Result<AdapterSwap> read_swap(std::string_view padded_body);

// vLLM's: unknown fields are read over.
struct VllmLoad {
  std::string name;
  std::string path;
  std::string base_model;  // empty: the only language model there is
  bool in_place = false;
};
[[nodiscard]] Result<VllmLoad> read_vllm_load(std::string_view padded_body);
// The name of the adapter.
[[nodiscard]] Result<std::string> read_vllm_unload(std::string_view padded_body);

}  // namespace cortex::frontend::adapters
