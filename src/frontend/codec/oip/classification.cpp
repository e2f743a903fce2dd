// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/classification.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

namespace cortex::frontend::oip {
namespace {

// NaN is worse than everything, so that the order is total.
template <typename T>
bool better(T a, T b) {
  if constexpr (std::floating_point<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  }
  return a > b;
}

template <typename T>
std::string label(T value, std::size_t index) {
  std::array<char, 64> text{};
  char* const last = text.data() + text.size();
  char* end = std::to_chars(text.data(), last, value).ptr;
  *end++ = ':';
  end = std::to_chars(end, last, index).ptr;
  return {text.data(), end};
}

template <typename T>
void append_best(const std::vector<T>& row, std::size_t count, std::vector<std::string>& out) {
  std::vector<std::size_t> order(row.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), middle, order.end(), [&](std::size_t a, std::size_t b) {
    if (better(row[a], row[b])) return true;
    return !better(row[b], row[a]) && a < b;
  });
  std::for_each(order.begin(), middle, [&](std::size_t i) { out.push_back(label(row[i], i)); });
}

template <typename T>
Tensor classify_numbers(const Tensor& scores, std::uint64_t classes, bool batched) {
  const bool rows_there = batched && !scores.shape.empty();
  const std::size_t rows = rows_there ? static_cast<std::size_t>(scores.shape.front()) : 1;
  const std::size_t width = rows == 0 ? 0 : scores.bytes.size() / sizeof(T) / rows;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(classes, width));
  std::vector<std::string> labels;
  std::vector<T> row(width);
  for (std::size_t i = 0; i < rows && width > 0; ++i) {
    std::memcpy(row.data(), scores.bytes.data() + i * width * sizeof(T), width * sizeof(T));
    append_best(row, count, labels);
  }
  Shape shape;
  if (rows_there) shape.push_back(static_cast<std::int64_t>(rows));
  shape.push_back(static_cast<std::int64_t>(count));
  return tensor_of(scores.name, std::move(shape), std::span<const std::string>(labels));
}

}  // namespace

Result<Tensor> classify(const Tensor& scores, std::uint64_t classes, bool batched) {
  switch (scores.datatype) {
    case DataType::kUint8:
      return classify_numbers<std::uint8_t>(scores, classes, batched);
    case DataType::kUint16:
      return classify_numbers<std::uint16_t>(scores, classes, batched);
    case DataType::kUint32:
      return classify_numbers<std::uint32_t>(scores, classes, batched);
    case DataType::kUint64:
      return classify_numbers<std::uint64_t>(scores, classes, batched);
    case DataType::kInt8:
      return classify_numbers<std::int8_t>(scores, classes, batched);
    case DataType::kInt16:
      return classify_numbers<std::int16_t>(scores, classes, batched);
    case DataType::kInt32:
      return classify_numbers<std::int32_t>(scores, classes, batched);
    case DataType::kInt64:
      return classify_numbers<std::int64_t>(scores, classes, batched);
    case DataType::kFp32:
      return classify_numbers<float>(scores, classes, batched);
    case DataType::kFp64:
      return classify_numbers<double>(scores, classes, batched);
    default:
      return invalid_argument(
          "class result not available for output '" + scores.name + "' due to unsupported type '" +
          std::string(datatype_name(scores.datatype)) + "'"
      );
  }
}

}  // namespace cortex::frontend::oip
