// SPDX-License-Identifier: Apache-2.0
#include "request/tensor.h"

#include <cstring>
#include <limits>

#include "request/buffer.h"

namespace cortex {
namespace {

constexpr std::size_t kLengthPrefix = 4;

// Length of the element at the front of `bytes`, nothing when it does not fit.
std::optional<std::size_t> front_length(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthPrefix) return std::nullopt;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthPrefix);
  if (bytes.size() - kLengthPrefix < length) return std::nullopt;
  return length;
}

Status validate_bytes(const Tensor& tensor, std::size_t count) {
  auto rest = tensor.bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto length = front_length(rest);
    if (!length) {
      return invalid_argument(
          "tensor '" + tensor.name + "': element " + std::to_string(i) + " of " +
          std::to_string(count) + " does not fit into the data"
      );
    }
    rest = rest.subspan(kLengthPrefix + *length);
  }
  if (!rest.empty()) {
    return invalid_argument(
        "tensor '" + tensor.name + "': " + std::to_string(rest.size()) +
        " bytes behind the last element"
    );
  }
  return {};
}

template <typename T>
Tensor copy_of(std::string name, DataType type, Shape shape, std::span<const T> values) {
  std::span<std::byte> out;
  Result<Tensor> tensor = make_tensor(std::move(name), type, std::move(shape), out);
  CHECK(tensor.ok() && out.size() == values.size_bytes(), "shape and values disagree");
  if (!out.empty()) std::memcpy(out.data(), values.data(), out.size());
  return std::move(tensor).value();
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(std::to_string(shape[i]));
  }
  return out.append("]");
}

std::optional<std::size_t> element_count(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(dimension), &count)) {
      return std::nullopt;
    }
  }
  return count;
}

Result<Tensor> make_tensor(
    std::string name, DataType datatype, Shape shape, std::span<std::byte>& out
) {
  const auto count = element_count(shape);
  std::size_t size = 0;
  if (!count || __builtin_mul_overflow(*count, element_size(datatype), &size)) {
    return invalid_argument("tensor '" + name + "': shape " + shape_text(shape) + " is not a size");
  }
  auto buffer = Buffer::make(size);
  out = buffer->bytes();
  return Tensor{std::move(name), datatype, std::move(shape), out, std::move(buffer), {}};
}

Tensor tensor_of(std::string name, Shape shape, std::span<const float> values) {
  return copy_of(std::move(name), DataType::kFp32, std::move(shape), values);
}

Tensor tensor_of(std::string name, Shape shape, std::span<const std::int64_t> values) {
  return copy_of(std::move(name), DataType::kInt64, std::move(shape), values);
}

Tensor tensor_of(std::string name, Shape shape, std::span<const std::string> values) {
  CHECK(element_count(shape) == values.size(), "shape and values disagree");
  std::size_t size = 0;
  for (const std::string& value : values) size += kLengthPrefix + value.size();
  auto buffer = Buffer::make(size);
  std::byte* at = buffer->data();
  for (const std::string& value : values) {
    const auto length = static_cast<std::uint32_t>(value.size());
    std::memcpy(at, &length, kLengthPrefix);
    std::memcpy(at + kLengthPrefix, value.data(), value.size());
    at += kLengthPrefix + value.size();
  }
  const std::span<const std::byte> bytes = buffer->bytes();
  return Tensor{std::move(name), DataType::kBytes, std::move(shape), bytes, std::move(buffer), {}};
}

Status validate(const Tensor& tensor) {
  const auto count = element_count(tensor.shape);
  if (!count) {
    return invalid_argument(
        "tensor '" + tensor.name + "': shape " + shape_text(tensor.shape) + " is not a size"
    );
  }
  if (tensor.datatype == DataType::kBytes) return validate_bytes(tensor, *count);
  std::size_t expected = 0;
  if (__builtin_mul_overflow(*count, element_size(tensor.datatype), &expected) ||
      expected != tensor.bytes.size()) {
    return invalid_argument(
        "tensor '" + tensor.name + "': shape " + shape_text(tensor.shape) + " of " +
        std::string(datatype_name(tensor.datatype)) + " does not agree with " +
        std::to_string(tensor.bytes.size()) + " bytes of data"
    );
  }
  return {};
}

std::vector<std::string_view> string_elements(const Tensor& tensor) {
  std::vector<std::string_view> out;
  auto rest = tensor.bytes;
  while (!rest.empty()) {
    const auto length = front_length(rest);
    CHECK(length.has_value(), "string_elements of a tensor that was not validated");
    out.emplace_back(reinterpret_cast<const char*>(rest.data()) + kLengthPrefix, *length);
    rest = rest.subspan(kLengthPrefix + *length);
  }
  return out;
}

}  // namespace cortex
