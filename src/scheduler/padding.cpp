// SPDX-License-Identifier: Apache-2.0
#include "scheduler/padding.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "request/buffer.h"

namespace cortex::scheduler {
namespace {

// Same name and datatype, and the same shape from dimension `from` on.
bool alike(const Tensor& a, const Tensor& b, std::size_t from) {
  if (a.name != b.name || a.datatype != b.datatype || a.shape.size() != b.shape.size())
    return false;
  const auto skip = static_cast<std::ptrdiff_t>(from);
  return a.shape.size() >= from &&
         std::equal(a.shape.begin() + skip, a.shape.end(), b.shape.begin() + skip);
}

bool belongs(const Tensor& first, const Tensor& tensor, const Waiting& member, bool padded) {
  if (!alike(first, tensor, padded ? 2 : 1) || tensor.shape[0] != member.rows) return false;
  const std::size_t row = member.length * element_size(tensor.datatype);
  return !padded || tensor.bytes.size() == member.rows * row;
}

void fill(std::span<std::byte> out, DataType type, std::int64_t value) {
  if (value == 0) {
    std::memset(out.data(), 0, out.size());
  } else if (type == DataType::kInt64) {
    std::fill_n(reinterpret_cast<std::int64_t*>(out.data()), out.size() / 8, value);
  } else {
    const auto narrow = static_cast<std::int32_t>(value);
    std::fill_n(reinterpret_cast<std::int32_t*>(out.data()), out.size() / 4, narrow);
  }
}

// Writes one member's rows, each followed by its padding, and moves `out` behind them.
void copy_padded(
    const Tensor& tensor, std::size_t padded_row, std::int64_t value, std::span<std::byte>& out
) {
  const auto rows = static_cast<std::size_t>(tensor.shape[0]);
  const std::size_t row = tensor.bytes.size() / rows;
  for (std::size_t i = 0; i < rows; ++i) {
    std::memcpy(out.data(), tensor.bytes.data() + i * row, row);
    fill(out.subspan(row, padded_row - row), tensor.datatype, value);
    out = out.subspan(padded_row);
  }
}

void copy_rows(const Tensor& tensor, std::span<std::byte>& out) {
  if (!tensor.bytes.empty()) std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  out = out.subspan(tensor.bytes.size());
}

Status gather_one(
    const TensorLayout& layout, const Batch& batch, std::size_t index, Tensor& gathered
) {
  const Tensor& first = input_of(batch.members.front()).inputs[index];
  const bool padded = batch.length > 0 && layout.is_length_input(first.name);
  const std::size_t padded_row = padded ? batch.length * element_size(first.datatype) : 0;
  std::size_t size = padded_row * batch.rows;
  for (const Waiting& member : batch.members) {
    const Tensor& tensor = input_of(member).inputs[index];
    if (!belongs(first, tensor, member, padded)) {
      return internal("requests of one batch differ in input '" + first.name + "'");
    }
    if (!padded) size += tensor.bytes.size();
  }
  auto buffer = Buffer::make(size);
  std::span<std::byte> out = buffer->bytes();
  for (const Waiting& member : batch.members) {
    const Tensor& tensor = input_of(member).inputs[index];
    padded ? copy_padded(tensor, padded_row, layout.fill_of(first.name), out)
           : copy_rows(tensor, out);
  }
  gathered = Tensor{first.name, first.datatype, first.shape, buffer->bytes(), buffer, {}};
  gathered.shape[0] = static_cast<std::int64_t>(batch.rows);
  if (padded) gathered.shape[1] = batch.length;
  return {};
}

// Cuts one output into members. Keeps where the next member's rows begin.
class Cutter {
 public:
  Cutter(const Batch& batch, const Tensor& output, bool length_output)
      : output_(output),
        batch_length_(length_output ? batch.length : 0),
        elements_per_row_(output.bytes.empty() ? 0 : count() / batch.rows) {
    if (output.datatype == DataType::kBytes) strings_ = string_elements(output);
  }

  [[nodiscard]] Tensor next(const Waiting& member) {
    const std::size_t first = row_ * elements_per_row_;
    row_ += member.rows;
    Tensor cut{output_.name, output_.datatype, output_.shape, {}, output_.owner, output_.placement};
    cut.shape[0] = member.rows;
    if (!lengthened(member)) {
      cut.bytes = elements(first, member.rows * elements_per_row_);
      return cut;
    }
    cut.shape[1] = member.length;
    const std::size_t kept = elements_per_row_ / batch_length_ * member.length;
    if (member.rows == 1) {
      cut.bytes = elements(first, kept);
    } else {
      copy_shortened(first, kept, member.rows, cut);
    }
    return cut;
  }

 private:
  [[nodiscard]] std::size_t count() const { return element_count(output_.shape).value_or(0); }

  [[nodiscard]] bool lengthened(const Waiting& member) const {
    return batch_length_ != 0 && member.length < batch_length_ && output_.shape.size() >= 2 &&
           output_.shape[1] == static_cast<std::int64_t>(batch_length_);
  }

  // Where element `index` begins.
  [[nodiscard]] std::size_t offset(std::size_t index) const {
    if (output_.datatype != DataType::kBytes) return index * element_size(output_.datatype);
    if (index == strings_.size()) return output_.bytes.size();
    constexpr std::size_t kLengthPrefix = 4;
    const char* begin = reinterpret_cast<const char*>(output_.bytes.data());
    return static_cast<std::size_t>(strings_[index].data() - begin) - kLengthPrefix;
  }

  [[nodiscard]] std::span<const std::byte> elements(std::size_t first, std::size_t size) const {
    return output_.bytes.subspan(offset(first), offset(first + size) - offset(first));
  }

  void copy_shortened(std::size_t first, std::size_t kept, std::size_t rows, Tensor& cut) const {
    std::size_t size = 0;
    for (std::size_t i = 0; i < rows; ++i)
      size += elements(first + i * elements_per_row_, kept).size();
    auto buffer = Buffer::make(size);
    std::byte* out = buffer->data();
    for (std::size_t i = 0; i < rows; ++i) {
      const auto row = elements(first + i * elements_per_row_, kept);
      if (!row.empty()) std::memcpy(out, row.data(), row.size());
      out += row.size();
    }
    cut.bytes = buffer->bytes();
    cut.owner = std::move(buffer);
  }

  const Tensor& output_;
  const std::size_t batch_length_;
  const std::size_t elements_per_row_;
  std::vector<std::string_view> strings_;
  std::size_t row_ = 0;
};

}  // namespace

Status gather(const TensorLayout& layout, const Batch& batch, std::vector<Tensor>& inputs) {
  const std::size_t count = input_of(batch.members.front()).inputs.size();
  for (const Waiting& member : batch.members) {
    if (input_of(member).inputs.size() != count)
      return internal("requests of one batch differ in inputs");
  }
  inputs.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    CORTEX_RETURN_IF_ERROR(gather_one(layout, batch, i, inputs[i]));
  }
  return {};
}

Status check_outputs(
    const TensorLayout& layout, std::size_t rows, const std::vector<Tensor>& outputs
) {
  for (const Tensor& output : outputs) {
    const bool agrees = !output.shape.empty() && output.shape[0] == static_cast<std::int64_t>(rows);
    if (layout.batches() && !agrees) {
      return internal(
          "output '" + output.name + "' has shape " + shape_text(output.shape) +
          " for a batch of " + std::to_string(rows) + " rows"
      );
    }
    if (const Status valid = validate(output); !valid.ok())
      return internal("output: " + valid.text());
  }
  return {};
}

void scatter(
    const TensorLayout& layout,
    const Batch& batch,
    const std::vector<Tensor>& outputs,
    std::vector<std::vector<Tensor>>& answers
) {
  answers.assign(batch.members.size(), {});
  for (const Tensor& output : outputs) {
    Cutter cutter(batch, output, layout.is_length_output(output.name));
    for (std::size_t i = 0; i < batch.members.size(); ++i) {
      answers[i].push_back(cutter.next(batch.members[i]));
    }
  }
}

}  // namespace cortex::scheduler
