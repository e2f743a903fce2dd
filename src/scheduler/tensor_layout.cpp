// SPDX-License-Identifier: Apache-2.0
#include "scheduler/tensor_layout.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace cortex::scheduler {
namespace {

// Rows and lengths stay far below where their products would overflow.
constexpr std::int64_t kLengthMax = std::int64_t{1} << 30;

bool has_free_rows(const TensorSpec& spec) { return !spec.shape.empty() && spec.shape[0] == -1; }

bool all_have_free_rows(const std::vector<TensorSpec>& specs) {
  return !specs.empty() && std::all_of(specs.begin(), specs.end(), has_free_rows);
}

bool may_batch(const ModelSignature& signature, const ModelConfig& config) {
  if (!config.batching.enabled || config.max_batch_size < 2) return false;
  if (signature.batch_changes_answers && !config.batching.allow_variance) return false;
  return all_have_free_rows(signature.inputs) && all_have_free_rows(signature.outputs);
}

bool is_integer(DataType type) { return type == DataType::kInt32 || type == DataType::kInt64; }

bool is_length_spec(const TensorSpec& spec) {
  return is_integer(spec.datatype) && spec.shape.size() == 2 && spec.shape[1] == -1;
}

bool is_mask(std::string_view name) { return name.find("mask") != std::string_view::npos; }

bool takes_mask(const ModelSignature& signature) {
  return std::any_of(signature.inputs.begin(), signature.inputs.end(), [](const TensorSpec& spec) {
    return is_length_spec(spec) && is_mask(spec.name) && !spec.optional;
  });
}

std::int64_t pad_token_of(const ModelConfig& config) {
  std::int64_t value = 0;
  const auto found = config.parameters.find("pad_token_id");
  if (found == config.parameters.end()) return value;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Finaliser of SplitMix64: every bit of the input reaches every bit of the key.
std::uint64_t mix(std::uint64_t key, std::uint64_t value) {
  std::uint64_t z = key + value + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

std::uint64_t index_of(const std::vector<TensorSpec>& specs, const TensorSpec& spec) {
  return static_cast<std::uint64_t>(&spec - specs.data());
}

}  // namespace

// What is known of a request while its tensors are looked at one by one.
class TensorLayout::Fitting {
 public:
  // False when the tensors differ in rows, or there are too many.
  bool see_rows(std::int64_t rows, std::size_t rows_max) {
    if (rows < 0 || static_cast<std::uint64_t>(rows) > rows_max) return false;
    if (has_rows_ && fit_.rows != rows) return false;
    has_rows_ = true;
    fit_.rows = static_cast<std::uint32_t>(rows);
    return true;
  }
  void see_shape(std::uint64_t spec, const Shape& shape) {
    fit_.key = mix(fit_.key, spec);
    for (std::size_t i = 1; i < shape.size(); ++i) see_dimension(shape[i]);
  }
  void see_length(std::uint64_t spec, std::int64_t length) {
    fit_.key = mix(fit_.key, spec);
    uneven_ = uneven_ || (length_ && *length_ != length) || length < 1 || length > kLengthMax;
    length_ = length;
    lengths_key_ = mix(lengths_key_, static_cast<std::uint64_t>(length));
  }
  void see_output(std::uint64_t spec) { outputs_key_ = mix(outputs_key_, spec); }

  // Inputs of one request that differ in length cannot be padded: their exact lengths go into the
  // key.
  [[nodiscard]] RequestFit conclude() {
    fit_.key = mix(fit_.key, outputs_key_);
    if (length_ && !uneven_) {
      fit_.length = static_cast<std::uint32_t>(*length_);
    } else {
      fit_.key = mix(fit_.key, lengths_key_);
    }
    return fit_;
  }

 private:
  void see_dimension(std::int64_t size) {
    fit_.key = mix(fit_.key, static_cast<std::uint64_t>(size));
  }

  RequestFit fit_;
  bool has_rows_ = false;
  std::optional<std::int64_t> length_;
  bool uneven_ = false;
  std::uint64_t lengths_key_ = 1;
  std::uint64_t outputs_key_ = 2;
};

TensorLayout::TensorLayout(const ModelSignature& signature, const ModelConfig& config)
    : model_(config.name),
      signature_(signature),
      max_batch_size_(config.max_batch_size),
      pad_token_(pad_token_of(config)),
      batches_(may_batch(signature, config)),
      pads_(batches_ && config.batching.pad_lengths && takes_mask(signature)) {}

Result<RequestFit> TensorLayout::fit(const InferInput& input) const {
  Fitting fitting;
  for (const Tensor& tensor : input.inputs) CORTEX_RETURN_IF_ERROR(fit_input(tensor, fitting));
  for (const std::string& name : input.outputs) {
    const TensorSpec* spec = find_spec(signature_.outputs, name);
    if (spec == nullptr) return does_not_fit("output", name);
    fitting.see_output(index_of(signature_.outputs, *spec));
  }
  RequestFit fit = fitting.conclude();
  fit.alone = !batches_ || fit.rows == 0;
  return fit;
}

Status TensorLayout::fit_input(const Tensor& tensor, Fitting& fitting) const {
  const TensorSpec* spec = find_spec(signature_.inputs, tensor.name);
  if (spec == nullptr || tensor.shape.size() != spec->shape.size()) {
    return does_not_fit("input", tensor.name);
  }
  if (max_batch_size_ > 0 && !tensor.shape.empty() &&
      !fitting.see_rows(tensor.shape[0], max_batch_size_)) {
    return does_not_fit("batch size of input", tensor.name);
  }
  const std::uint64_t index = index_of(signature_.inputs, *spec);
  if (pads_ && is_length_spec(*spec)) {
    fitting.see_length(index, tensor.shape[1]);
  } else {
    fitting.see_shape(index, tensor.shape);
  }
  return {};
}

Status TensorLayout::does_not_fit(std::string_view what, std::string_view name) const {
  return invalid_argument(
      std::string(what) + " '" + std::string(name) + "' does not fit model '" + model_ + "'"
  );
}

bool TensorLayout::is_length_input(std::string_view name) const {
  const TensorSpec* spec = find_spec(signature_.inputs, name);
  return pads_ && spec != nullptr && is_length_spec(*spec);
}

std::int64_t TensorLayout::fill_of(std::string_view name) const {
  return name.ends_with("input_ids") ? pad_token_ : 0;
}

bool TensorLayout::is_length_output(std::string_view name) const {
  const TensorSpec* spec = find_spec(signature_.outputs, name);
  return pads_ && spec != nullptr && spec->shape.size() >= 2 && spec->shape[1] == -1;
}

}  // namespace cortex::scheduler
