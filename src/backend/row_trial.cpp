// SPDX-License-Identifier: Apache-2.0
#include "backend/row_trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace cortex::backend {
namespace {

// Of the dimensions that vary: a length, one, and the sides of small and usual pictures.
constexpr std::array<std::int64_t, 5> kSizes{8, 1, 2, 32, 224};
// Of an input: a trial is no load test.
constexpr std::size_t kElementsMax = std::size_t{1} << 20;

// Rows [begin, end) of the trial's batch.
struct Rows {
  std::size_t begin;
  std::size_t end;

  [[nodiscard]] std::size_t count() const { return end - begin; }
};
constexpr Rows kFirst{0, 1};
constexpr Rows kOthers{1, 3};
constexpr Rows kAll{0, 3};

// The same for the same place. splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014).
std::uint64_t noise(std::size_t input, std::size_t row, std::size_t element) {
  std::uint64_t z = (input * 3 + row + 1) * 0x9E3779B97F4A7C15 + element * 0xD1342543DE82EF95;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// What the first elements of neighbouring rows are apart, whatever the noise: odd, and a third of
// the fraction of half a float.
constexpr std::uint64_t kRowStep = 341;

template <typename T>
void put(std::span<std::byte> element, T value) {
  std::memcpy(element.data(), &value, sizeof(T));
}

// Whole numbers are 0 and 1, which are in every table; other numbers lie between -1 and 1.
void fill(DataType type, std::span<std::byte> element, std::uint64_t noise) {
  const double value = static_cast<double>(noise % 2001) / 1000 - 1;
  switch (type) {
    case DataType::kFp64:
      return put(element, value);
    case DataType::kFp32:
      return put(element, static_cast<float>(value));
    case DataType::kFp16:  // the sign, 2^-1, and the fraction
      return put(element, static_cast<std::uint16_t>(0x3800 | (noise & 0x83FF)));
    case DataType::kBf16:
      return put(element, static_cast<std::uint16_t>(0x3F00 | (noise & 0x807F)));
    default:
      element[0] = static_cast<std::byte>(noise & 1);  // the others are zero: little-endian
  }
}

Result<Tensor> input_of(const TensorSpec& spec, std::size_t input, Rows rows, std::int64_t size) {
  Shape shape = spec.shape;
  std::replace(shape.begin(), shape.end(), std::int64_t{-1}, size);
  shape.front() = static_cast<std::int64_t>(rows.count());
  const auto count = element_count(shape);
  if (!count || *count > kElementsMax) return invalid_argument("too large for a trial");
  const std::size_t width = *count / rows.count();
  const auto noise_at = [&](std::size_t i) {
    const std::size_t row = rows.begin + i / width;
    return i % width == 0 ? noise(input, 0, 0) + kRowStep * row : noise(input, row, i % width);
  };
  if (spec.datatype == DataType::kBytes) {
    std::vector<std::string> values(*count);
    for (std::size_t i = 0; i < *count; ++i) values[i] = noise_at(i) & 1 ? "a" : "b";
    return tensor_of(spec.name, std::move(shape), values);
  }
  std::span<std::byte> bytes;
  CORTEX_ASSIGN_OR_RETURN(
      Tensor tensor, make_tensor(spec.name, spec.datatype, std::move(shape), bytes)
  );
  std::ranges::fill(bytes, std::byte{0});
  const std::size_t step = element_size(spec.datatype);
  for (std::size_t i = 0; i < *count; ++i) {
    fill(spec.datatype, bytes.subspan(i * step, step), noise_at(i));
  }
  return tensor;
}

Result<std::vector<Tensor>> run_rows(TensorBackend& backend, Rows rows, std::int64_t size) {
  TensorRun run;
  const std::vector<TensorSpec>& inputs = backend.signature().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CORTEX_ASSIGN_OR_RETURN(Tensor tensor, input_of(inputs[i], i, rows, size));
    run.inputs.push_back(std::move(tensor));
  }
  std::vector<Tensor> outputs;
  CORTEX_RETURN_IF_ERROR(backend.run(run, outputs));
  return outputs;
}

// IEEE 754 binary16.
double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <typename T>
T element_at(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

double float_at(DataType type, std::span<const std::byte> bytes, std::size_t i) {
  switch (type) {
    case DataType::kFp64:
      return element_at<double>(bytes, i);
    case DataType::kFp32:
      return element_at<float>(bytes, i);
    case DataType::kFp16:
      return half_value(element_at<std::uint16_t>(bytes, i));
    default: {  // BF16 is the upper half of a float
      const std::uint32_t bits = std::uint32_t{element_at<std::uint16_t>(bytes, i)} << 16;
      float value = 0;
      std::memcpy(&value, &bits, sizeof(value));
      return value;
    }
  }
}

// How far two values may be apart, as a share of the largest; nothing where they must be the same.
std::optional<double> tolerance_of(DataType type) {
  if (type == DataType::kFp16 || type == DataType::kBf16) return 0.02;
  if (type == DataType::kFp32 || type == DataType::kFp64) return 1e-4;
  return std::nullopt;
}

bool are_close(double a, double b, double most) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::abs(a - b) <= most;
}

bool same_values(DataType type, std::span<const std::byte> a, std::span<const std::byte> b) {
  const std::optional<double> tolerance = tolerance_of(type);
  if (!tolerance) return std::ranges::equal(a, b);
  const std::size_t count = a.size() / element_size(type);
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = std::abs(float_at(type, a, i));
    if (std::isfinite(value)) largest = std::max(largest, value);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (!are_close(float_at(type, a, i), float_at(type, b, i), *tolerance * largest)) return false;
  }
  return true;
}

bool has_rows(const Tensor& output, Rows rows) {
  return !output.shape.empty() && output.shape.front() == static_cast<std::int64_t>(rows.count());
}

// Whether `all` is `first` with `others` behind it.
bool is_joined(const Tensor& first, const Tensor& others, const Tensor& all) {
  if (!has_rows(first, kFirst) || !has_rows(others, kOthers) || !has_rows(all, kAll)) return false;
  const auto same_row = [&](const Tensor& part) {
    return std::equal(
        part.shape.begin() + 1, part.shape.end(), all.shape.begin() + 1, all.shape.end()
    );
  };
  const std::size_t size = first.bytes.size();
  if (!same_row(first) || !same_row(others) || size + others.bytes.size() != all.bytes.size()) {
    return false;
  }
  return same_values(all.datatype, first.bytes, all.bytes.first(size)) &&
         same_values(all.datatype, others.bytes, all.bytes.subspan(size));
}

bool try_rows(TensorBackend& backend, const std::vector<Tensor>& first, std::int64_t size) {
  const auto others = run_rows(backend, kOthers, size);
  const auto all = run_rows(backend, kAll, size);
  if (!others.ok() || !all.ok()) return false;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!is_joined(first[i], (*others)[i], (*all)[i])) return false;
  }
  return true;
}

bool sizes_vary(const ModelSignature& signature) {
  return std::ranges::any_of(signature.inputs, [](const TensorSpec& spec) {
    return std::find(spec.shape.begin() + 1, spec.shape.end(), -1) != spec.shape.end();
  });
}

}  // namespace

bool rows_stand_alone(TensorBackend& backend) {
  const std::size_t count = sizes_vary(backend.signature()) ? kSizes.size() : 1;
  for (const std::int64_t size : std::span(kSizes).first(count)) {
    const auto first = run_rows(backend, kFirst, size);
    if (first.ok()) return try_rows(backend, *first, size);
  }
  return false;
}

}  // namespace cortex::backend
