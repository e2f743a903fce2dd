// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "backend/llama/detail/adapter_head.h"
#include "base/status.h"

namespace cortex::backend {

// What of a model decides which adapters can be laid over it.
struct AdapterBase {
  std::string architecture;
  TensorOutlines tensors;
};

// Whether the library can be given an adapter's file (LoRA): it checks the first two sides of a
// matrix alone, and everything else that is wrong ends the process, in loading or in the first
// step. `head` are the file's first bytes, kAdapterHeadMax of them or all. kInvalidArgument with
// what is wrong, and with which tensor or key.
[[nodiscard]] Status check_adapter(
    std::string_view head, std::uint64_t file_bytes, const AdapterBase& base
);

// The same of a file; kInvalidArgument also where it cannot be read.
[[nodiscard]] Status check_adapter_file(const std::filesystem::path& file, const AdapterBase& base);

}  // namespace cortex::backend
