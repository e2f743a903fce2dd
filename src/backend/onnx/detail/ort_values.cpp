// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/ort_values.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "backend/onnx/detail/ort_errors.h"
#include "request/buffer.h"

namespace cortex::backend {
namespace {

// In the order of DataType.
constexpr std::array<ONNXTensorElementDataType, 14> kElementTypes = {
    ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
};

constexpr std::size_t kLengthPrefix = 4;

ONNXTensorElementDataType element_type(DataType type) {
  return kElementTypes.at(static_cast<std::size_t>(type));
}

Status fill_strings(const OrtLibrary& library, const Tensor& tensor, OrtValue* value) {
  const auto elements = string_elements(tensor);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    char* to = nullptr;
    const OrtFailure failure = library.take(
        library.api().GetResizedStringTensorElementBuffer(value, i, elements[i].size(), &to)
    );
    if (failure.failed()) return input_error(tensor.name, failure);
    std::copy(elements[i].begin(), elements[i].end(), to);
  }
  return {};
}

Status make_strings(const OrtLibrary& library, const Tensor& tensor, OrtValue*& out) {
  const OrtFailure failure = library.take(library.api().CreateTensorAsOrtValue(
      library.allocator(),
      tensor.shape.data(),
      tensor.shape.size(),
      ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING,
      &out
  ));
  return failure.failed() ? input_error(tensor.name, failure) : fill_strings(library, tensor, out);
}

// An operator may read a bool's byte as a number, for which the language allows 0 and 1 alone.
bool are_bools(std::span<const std::byte> bytes) {
  auto all = std::byte{0};
  for (const std::byte byte : bytes) all |= byte;
  return all <= std::byte{1};
}

struct OutputType {
  DataType datatype = DataType::kFp32;
  Shape shape;
};

Result<OutputType> type_of(const OrtLibrary& library, const OrtValue* value) {
  const OrtApi& api = library.api();
  OrtTensorTypeAndShapeInfo* info = nullptr;
  OrtFailure failure = library.take(api.GetTensorTypeAndShape(value, &info));
  if (failure.failed()) return run_error(failure);
  const OrtOwned<OrtTensorTypeAndShapeInfo> owned(info, api.ReleaseTensorTypeAndShapeInfo);
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::size_t rank = 0;
  OutputType out;
  failure = library.take(api.GetTensorElementType(info, &type));
  if (!failure.failed()) failure = library.take(api.GetDimensionsCount(info, &rank));
  out.shape.resize(rank);
  if (!failure.failed()) failure = library.take(api.GetDimensions(info, out.shape.data(), rank));
  if (failure.failed()) return run_error(failure);
  const auto datatype = datatype_of(type);
  if (!datatype) return internal("an output of element type " + std::to_string(type));
  out.datatype = *datatype;
  return out;
}

// The library writes the characters of all elements in one piece, behind the room for all length
// prefixes; they then move forward one element at a time, never over what was not read yet.
Status write_strings(
    const OrtLibrary& library, const OrtValue* value, std::size_t count, Tensor& out
) {
  std::size_t length = 0;
  OrtFailure failure = library.take(library.api().GetStringTensorDataLength(value, &length));
  if (failure.failed()) return run_error(failure);
  auto buffer = Buffer::make(length + count * kLengthPrefix);
  std::vector<std::size_t> starts(count + 1, length);
  std::byte* const characters = buffer->data() + count * kLengthPrefix;
  if (count > 0) {
    failure = library.take(
        library.api().GetStringTensorContent(value, characters, length, starts.data(), count)
    );
    if (failure.failed()) return run_error(failure);
  }
  std::byte* to = buffer->data();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = starts[i + 1] - starts[i];
    const auto prefix = static_cast<std::uint32_t>(size);
    std::memcpy(to, &prefix, kLengthPrefix);
    std::memmove(to + kLengthPrefix, characters + starts[i], size);
    to += kLengthPrefix + size;
  }
  out.bytes = buffer->bytes();
  out.owner = std::move(buffer);
  return {};
}

Status point_into(
    const OrtLibrary& library, OrtOwned<OrtValue> value, std::size_t count, Tensor& out
) {
  void* data = nullptr;
  const OrtFailure failure = library.take(library.api().GetTensorMutableData(value.get(), &data));
  if (failure.failed()) return run_error(failure);
  out.bytes = {static_cast<const std::byte*>(data), count * element_size(out.datatype)};
  out.owner = std::shared_ptr<const OrtValue>(std::move(value));
  return {};
}

}  // namespace

std::optional<DataType> datatype_of(ONNXTensorElementDataType type) {
  const auto at = std::find(kElementTypes.begin(), kElementTypes.end(), type);
  if (at == kElementTypes.end()) return std::nullopt;
  return static_cast<DataType>(at - kElementTypes.begin());
}

Status make_value(
    const OrtLibrary& library,
    const Tensor& tensor,
    OrtValue*& out,
    std::shared_ptr<const void>& kept
) {
  if (tensor.datatype == DataType::kBytes) return make_strings(library, tensor, out);
  if (tensor.datatype == DataType::kBool && !are_bools(tensor.bytes)) {
    return invalid_argument("tensor '" + tensor.name + "': a BOOL is neither 0 nor 1");
  }
  static constexpr std::byte kNoBytes{};
  const std::byte* data = tensor.bytes.empty() ? &kNoBytes : tensor.bytes.data();
  if (!tensor.bytes.empty() && !tensor.aligned_to(element_size(tensor.datatype))) {
    auto copy = Buffer::make(tensor.bytes.size());
    std::memcpy(copy->data(), tensor.bytes.data(), tensor.bytes.size());
    data = copy->data();
    kept = std::move(copy);
  }
  // The library reads inputs only; its interface has no const.
  const OrtFailure failure = library.take(library.api().CreateTensorWithDataAsOrtValue(
      library.memory(),
      const_cast<std::byte*>(data),
      tensor.bytes.size(),
      tensor.shape.data(),
      tensor.shape.size(),
      element_type(tensor.datatype),
      &out
  ));
  return failure.failed() ? input_error(tensor.name, failure) : Status();
}

Status make_output(
    const OrtLibrary& library, const std::string& name, OrtOwned<OrtValue> value, Tensor& out
) {
  if (!value) return internal("output '" + name + "' has no value");
  CORTEX_ASSIGN_OR_RETURN(OutputType type, type_of(library, value.get()));
  const auto count = element_count(type.shape);
  if (!count) return internal("output '" + name + "' has the shape " + shape_text(type.shape));
  out.name = name;
  out.datatype = type.datatype;
  out.shape = std::move(type.shape);
  if (type.datatype == DataType::kBytes) return write_strings(library, value.get(), *count, out);
  return point_into(library, std::move(value), *count, out);
}

}  // namespace cortex::backend
