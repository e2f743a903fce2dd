// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "request/datatype.h"

namespace cortex {

using Shape = std::vector<std::int64_t>;

// "[2,3]".
[[nodiscard]] std::string shape_text(const Shape& shape);

// Product of the dimensions; 1 for a scalar, 0 when one is 0. Nothing when a dimension is negative
// or the product does not fit: shapes come from clients.
[[nodiscard]] std::optional<std::size_t> element_count(std::span<const std::int64_t> shape);

// Where bytes live. Today every engine reads and writes the host's memory.
enum class DeviceKind : std::uint8_t { kCpu, kCuda };
enum class MemoryKind : std::uint8_t { kPageable, kPinned, kShared, kDevice };
struct Placement {
  DeviceKind device = DeviceKind::kCpu;
  std::int32_t device_id = 0;
  MemoryKind memory = MemoryKind::kPageable;
};

// A named, dense, row-major, little-endian array. It points to bytes and keeps their owner alive;
// copying a Tensor copies no element. Immutable once inside a Request or a Response.
//
// kBytes elements lie one behind the other, each as a 4-byte little-endian length and its bytes:
// the form of the wire.
struct Tensor {
  std::string name;
  DataType datatype = DataType::kFp32;
  Shape shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  Placement placement;

  // Elements of `T` in place. REQUIRES: the element size agrees and the bytes are aligned for T.
  template <typename T>
  [[nodiscard]] std::span<const T> as() const {
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0, "unaligned tensor");
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  [[nodiscard]] bool aligned_to(std::size_t alignment) const {
    return reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0;
  }
};

// A tensor over a fresh buffer; `out` is where its elements go. Fails when the shape is not a size.
[[nodiscard]] Result<Tensor> make_tensor(
    std::string name, DataType datatype, Shape shape, std::span<std::byte>& out
);

// A tensor over a copy of `values`.
[[nodiscard]] Tensor tensor_of(std::string name, Shape shape, std::span<const float> values);
[[nodiscard]] Tensor tensor_of(std::string name, Shape shape, std::span<const std::int64_t> values);
[[nodiscard]] Tensor tensor_of(std::string name, Shape shape, std::span<const std::string> values);

// Checks that the bytes agree with datatype and shape; for kBytes walks the elements. The error
// names the tensor.
[[nodiscard]] Status validate(const Tensor& tensor);

// The elements of a valid kBytes tensor. They point into it.
[[nodiscard]] std::vector<std::string_view> string_elements(const Tensor& tensor);

}  // namespace cortex
