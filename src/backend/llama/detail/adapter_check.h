// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
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

// Whether its numbers are finite: without flash attention one that is not spoils the answers of
// others, too. Of quantised numbers the scales are looked at. Read from `file` a megabyte at a
// time; kInvalidArgument with the first tensor that has another one, or that cannot be read.
[[nodiscard]] Status check_adapter_numbers(const AdapterHead& head, std::istream& file);

// Both of a file; kInvalidArgument also where it cannot be read.
[[nodiscard]] Status check_adapter_file(const std::filesystem::path& file, const AdapterBase& base);

}  // namespace cortex::backend
