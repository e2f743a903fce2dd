// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace cortex::backend {

// How the numbers of a tensor are stored: in blocks of so many numbers and bytes.
struct TensorType {
  std::uint32_t number;  // GGML_TYPE_…
  std::string_view name;
  std::uint32_t block;
  std::uint32_t block_bytes;
  // Bytes of a block at which a scale lies that is a float of 16 bits; -1: none.
  std::array<std::int16_t, 2> scales = {-1, -1};
};

// The type, where a matrix of it can be multiplied by a vector; null for every other, which ends
// the process in a step: the library looks for no reason to refuse it.
[[nodiscard]] const TensorType* multiplied_type(std::uint32_t number);

// For messages: "F16", "I32", "type 77".
[[nodiscard]] std::string tensor_type_name(std::uint32_t number);

}  // namespace cortex::backend
