// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/synthetic_results.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "request/buffer.h"

namespace cortex::backend {
namespace {

// Stands at places that a mask hides: large enough to be seen in every mean.
constexpr float kHidden = 1e6f;

Result<std::vector<Tensor>> identity(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto copy = Buffer::make(inputs[i].bytes.size());
    std::copy(inputs[i].bytes.begin(), inputs[i].bytes.end(), copy->data());
    Tensor tensor = inputs[i];
    tensor.name = program.signature.outputs[i].name;
    tensor.bytes = std::as_const(*copy).bytes();
    tensor.owner = std::move(copy);
    out.push_back(std::move(tensor));
  }
  return out;
}

template <typename T>
void add(std::span<std::byte> to, std::span<const std::byte> from) {
  for (std::size_t at = 0; at + sizeof(T) <= to.size(); at += sizeof(T)) {
    T sum{};
    T value{};
    std::memcpy(&sum, to.data() + at, sizeof(T));
    std::memcpy(&value, from.data() + at, sizeof(T));
    sum = static_cast<T>(sum + value);
    std::memcpy(to.data() + at, &sum, sizeof(T));
  }
}

// Whole numbers add up alike with and without a sign, and without one they may wrap.
void add_as(DataType type, std::span<std::byte> to, std::span<const std::byte> from) {
  if (type == DataType::kFp32) return add<float>(to, from);
  if (type == DataType::kFp64) return add<double>(to, from);
  switch (element_size(type)) {
    case 1:
      return add<std::uint8_t>(to, from);
    case 2:
      return add<std::uint16_t>(to, from);
    case 4:
      return add<std::uint32_t>(to, from);
    default:
      return add<std::uint64_t>(to, from);
  }
}

Result<std::vector<Tensor>> sum(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  const TensorSpec& spec = program.signature.outputs[0];
  std::span<std::byte> to;
  CORTEX_ASSIGN_OR_RETURN(Tensor out, make_tensor(spec.name, spec.datatype, inputs[0].shape, to));
  std::fill(to.begin(), to.end(), std::byte{0});
  for (const Tensor& input : inputs) {
    if (input.shape != inputs[0].shape) return invalid_argument("the shapes of the inputs differ");
    add_as(spec.datatype, to, input.bytes);
  }
  return std::vector<Tensor>{std::move(out)};
}

template <typename T>
void fill_with(std::span<std::byte> to, T value) {
  for (std::size_t at = 0; at + sizeof(T) <= to.size(); at += sizeof(T)) {
    std::memcpy(to.data() + at, &value, sizeof(T));
  }
}

void fill(DataType type, std::span<std::byte> to, const std::string& text) {
  const double value = std::strtod(text.c_str(), nullptr);
  const long long whole = std::strtoll(text.c_str(), nullptr, 10);
  const auto single = static_cast<float>(value);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &single, sizeof(bits));
  if (type == DataType::kFp64) return fill_with(to, value);
  if (type == DataType::kFp32) return fill_with(to, single);
  if (type == DataType::kFp16) return fill_with(to, static_cast<_Float16>(value));
  if (type == DataType::kBf16) return fill_with(to, static_cast<std::uint16_t>(bits >> 16));
  if (type == DataType::kBool) return fill_with(to, static_cast<std::uint8_t>(whole != 0));
  switch (element_size(type)) {
    case 1:
      return fill_with(to, static_cast<std::uint8_t>(whole));
    case 2:
      return fill_with(to, static_cast<std::uint16_t>(whole));
    case 4:
      return fill_with(to, static_cast<std::uint32_t>(whole));
    default:
      return fill_with(to, static_cast<std::uint64_t>(whole));
  }
}

Result<Tensor> constant_of(const TensorSpec& spec, std::int64_t rows, const std::string& value) {
  Shape shape = spec.shape;
  if (!shape.empty() && shape[0] < 0) shape[0] = rows;
  for (std::int64_t& dimension : shape) dimension = dimension < 0 ? 1 : dimension;
  if (spec.datatype == DataType::kBytes) {
    const std::vector<std::string> values(element_count(shape).value_or(0), value);
    return tensor_of(spec.name, shape, std::span<const std::string>(values));
  }
  std::span<std::byte> to;
  CORTEX_ASSIGN_OR_RETURN(Tensor out, make_tensor(spec.name, spec.datatype, shape, to));
  fill(spec.datatype, to, value);
  return out;
}

Result<std::vector<Tensor>> constant(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  const std::int64_t rows = inputs[0].shape.empty() ? 1 : inputs[0].shape[0];
  std::vector<Tensor> out;
  for (const TensorSpec& spec : program.signature.outputs) {
    CORTEX_ASSIGN_OR_RETURN(Tensor tensor, constant_of(spec, rows, program.value));
    out.push_back(std::move(tensor));
  }
  return out;
}

Result<std::vector<Tensor>> shape_of(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  const Shape& shape = inputs[0].shape;
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  std::vector<std::int64_t> values;
  for (std::int64_t row = 0; row < rows; ++row) {
    values.insert(values.end(), shape.begin(), shape.end());
  }
  return std::vector<Tensor>{tensor_of(
      program.signature.outputs[0].name,
      {rows, static_cast<std::int64_t>(shape.size())},
      std::span<const std::int64_t>(values)
  )};
}

// Between -1 and 1, the same everywhere.
float token_value(std::int64_t token, std::size_t position, std::size_t column) {
  std::uint64_t mixed = static_cast<std::uint64_t>(token) * 0x9E3779B97F4A7C15u;
  mixed ^= (position + 1) * 0xC2B2AE3D27D4EB4Fu + (column + 1) * 0x165667B19E3779F9u;
  mixed = (mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9u;
  return static_cast<float>(mixed >> 40) / static_cast<float>(1u << 23) - 1.0f;
}

Result<std::vector<Tensor>> text(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  const Tensor& ids = inputs[0];
  if (std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& t) {
        return t.shape != ids.shape;
      })) {
    return invalid_argument("input_ids and attention_mask differ in shape");
  }
  Shape shape = ids.shape;
  shape.push_back(static_cast<std::int64_t>(program.width));
  std::span<std::byte> to;
  CORTEX_ASSIGN_OR_RETURN(
      Tensor out, make_tensor(program.signature.outputs[0].name, DataType::kFp32, shape, to)
  );
  const auto length = static_cast<std::size_t>(ids.shape[1]);
  auto* next = reinterpret_cast<float*>(to.data());
  const auto tokens = ids.as<std::int64_t>();
  const auto mask = inputs[1].as<std::int64_t>();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (std::size_t column = 0; column < program.width; ++column) {
      *next++ = mask[i] != 0 ? token_value(tokens[i], i % length, column) : kHidden;
    }
  }
  return std::vector<Tensor>{std::move(out)};
}

Result<std::vector<Tensor>> pair(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  const Shape& shape = inputs[0].shape;
  if (inputs[1].shape != shape || inputs[2].shape != shape) {
    return invalid_argument("the shapes of the inputs differ");
  }
  const auto length = static_cast<std::size_t>(shape[1]);
  std::vector<float> logits;
  for (std::size_t row = 0; row < static_cast<std::size_t>(shape[0]); ++row) {
    const auto ids = inputs[0].as<std::int64_t>().subspan(row * length, length);
    const auto mask = inputs[1].as<std::int64_t>().subspan(row * length, length);
    const auto types = inputs[2].as<std::int64_t>().subspan(row * length, length);
    std::set<std::int64_t> first;
    for (std::size_t i = 0; i < length; ++i) {
      if (mask[i] != 0 && types[i] == 0) first.insert(ids[i]);
    }
    float shared = 0;
    for (std::size_t i = 0; i < length; ++i) {
      if (mask[i] != 0 && types[i] == 1 && first.contains(ids[i])) ++shared;
    }
    logits.push_back(shared);
  }
  return std::vector<Tensor>{
      tensor_of(program.signature.outputs[0].name, {shape[0], 1}, std::span<const float>(logits))
  };
}

}  // namespace

Result<std::vector<Tensor>> synthetic_results(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
) {
  switch (program.result) {
    case SyntheticResult::kSum:
      return sum(program, inputs);
    case SyntheticResult::kConstant:
      return constant(program, inputs);
    case SyntheticResult::kShape:
      return shape_of(program, inputs);
    case SyntheticResult::kText:
      return text(program, inputs);
    case SyntheticResult::kPair:
      return pair(program, inputs);
    case SyntheticResult::kIdentity:
      break;
  }
  return identity(program, inputs);
}

}  // namespace cortex::backend
