// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cortex {

// Element types of the Open Inference Protocol, BF16 included.
enum class DataType : std::uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kBf16,
  kFp32,
  kFp64,
  kBytes,
};

// "FP32", "BYTES" and so on.
[[nodiscard]] std::string_view datatype_name(DataType type);
[[nodiscard]] std::optional<DataType> parse_datatype(std::string_view name);

// Bytes per element; 0 for kBytes, whose elements differ in size.
[[nodiscard]] std::size_t element_size(DataType type);

}  // namespace cortex
