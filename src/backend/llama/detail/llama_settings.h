// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"

namespace cortex::backend {

// How a model runs, out of its parameters (llama_engine.h names them).
struct LlamaSettings {
  llama_flash_attn_type flash_attention = LLAMA_FLASH_ATTN_TYPE_AUTO;
  bool cell_attention = true;
  ggml_type cache_type_k = GGML_TYPE_F16;
  ggml_type cache_type_v = GGML_TYPE_F16;
  std::int32_t gpu_layers = -1;
  bool mmap = true;
  std::uint32_t step_rows = 512;
};

// kInvalidArgument names the parameter that is none, or whose value is none.
[[nodiscard]] Result<LlamaSettings> llama_settings(
    const std::map<std::string, std::string>& parameters
);

// Bytes of one number of the memory, about.
[[nodiscard]] double bytes_of(ggml_type type);

}  // namespace cortex::backend
