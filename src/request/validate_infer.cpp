// SPDX-License-Identifier: Apache-2.0
#include "request/validate_infer.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace cortex {
namespace {

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string for_model(const ModelConfig& config) { return " for model " + in_quotes(config.name); }

void add_quoted(std::string& list, std::string_view name) {
  if (!list.empty()) list.push_back(',');
  list.append(in_quotes(name));
}

const TensorSpec* configured(const TensorSpec& spec, const ModelConfig& config) {
  const TensorSpec* found = find_spec(config.inputs, spec.name);
  return found != nullptr ? found : find_spec(config.outputs, spec.name);
}

const Tensor* find_tensor(const std::vector<Tensor>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
    return tensor.name == name;
  });
  return found == tensors.end() ? nullptr : &*found;
}

bool is_optional(const TensorSpec& spec, const ModelConfig& config) {
  const TensorSpec* found = configured(spec, config);
  return spec.optional || (found != nullptr && found->optional);
}

Status missing_inputs(
    const ModelSignature& signature, const ModelConfig& config, const InferInput& input
) {
  std::string got;
  std::string missing;
  std::size_t required = 0;
  for (const Tensor& tensor : input.inputs) add_quoted(got, tensor.name);
  for (const TensorSpec& spec : signature.inputs) {
    if (is_optional(spec, config)) continue;
    ++required;
    if (find_tensor(input.inputs, spec.name) == nullptr) add_quoted(missing, spec.name);
  }
  return invalid_argument(
      "expected " + std::to_string(required) + " inputs but got " +
      std::to_string(input.inputs.size()) + " inputs" + for_model(config) + ". Got input(s) [" +
      got + "], but missing required input(s) [" + missing +
      "]. Please provide all required input(s)."
  );
}

bool shape_fits(const Shape& expected, const Shape& got) {
  if (expected.size() != got.size()) return false;
  return std::equal(expected.begin(), expected.end(), got.begin(), [](auto want, auto have) {
    return want < 0 || want == have;
  });
}

Status check_shape(const Tensor& tensor, const TensorSpec& spec, const ModelConfig& config) {
  const Shape expected = wire_shape(spec, config);
  if (shape_fits(expected, tensor.shape)) return {};
  return invalid_argument(
      "unexpected shape for input " + in_quotes(tensor.name) + for_model(config) + ". Expected " +
      shape_text(expected) + ", got " + shape_text(tensor.shape)
  );
}

Status check_input(
    const Tensor& tensor, const ModelSignature& signature, const ModelConfig& config
) {
  const TensorSpec* spec = find_spec(signature.inputs, tensor.name);
  if (spec == nullptr) {
    return invalid_argument(
        "unexpected inference input " + in_quotes(tensor.name) + for_model(config)
    );
  }
  if (spec->datatype != tensor.datatype) {
    return invalid_argument(
        "inference input " + in_quotes(tensor.name) + " data-type is " +
        in_quotes(datatype_name(tensor.datatype)) + ", but model " + in_quotes(config.name) +
        " expects " + in_quotes(datatype_name(spec->datatype))
    );
  }
  return check_shape(tensor, *spec, config);
}

Status check_batch(const ModelConfig& config, const InferInput& input) {
  if (config.max_batch_size == 0 || input.inputs.empty()) return {};
  const std::int64_t batch = input.inputs.front().shape.front();
  for (const Tensor& tensor : input.inputs) {
    if (tensor.shape.front() != batch) {
      return invalid_argument(
          "input " + in_quotes(tensor.name) + " batch size does not match other inputs" +
          for_model(config)
      );
    }
  }
  if (batch < 1) {
    return invalid_argument(
        "inference request batch-size must be > 0 for " + in_quotes(config.name)
    );
  }
  if (static_cast<std::uint64_t>(batch) > config.max_batch_size) {
    return invalid_argument(
        "inference request batch-size must be <= " + std::to_string(config.max_batch_size) +
        " for " + in_quotes(config.name)
    );
  }
  return {};
}

Status check_outputs(
    const ModelSignature& signature, const ModelConfig& config, const InferInput& input
) {
  for (std::size_t i = 0; i < input.outputs.size(); ++i) {
    const std::string& name = input.outputs[i];
    if (find_spec(signature.outputs, name) == nullptr) {
      return invalid_argument("unexpected inference output " + in_quotes(name) + for_model(config));
    }
    const auto behind = input.outputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(input.outputs.begin(), behind, name) != behind) {
      return invalid_argument(
          "output " + in_quotes(name) + " is asked for twice" + for_model(config)
      );
    }
  }
  return {};
}

}  // namespace

Shape wire_shape(const TensorSpec& spec, const ModelConfig& config) {
  const TensorSpec* found = configured(spec, config);
  const bool batched = config.max_batch_size > 0;
  if (found == nullptr) {
    Shape shape = spec.shape;
    if (batched && shape.empty()) shape.push_back(-1);
    if (batched) shape.front() = -1;
    return shape;
  }
  if (!batched) return found->shape;
  Shape shape{-1};
  shape.insert(shape.end(), found->shape.begin(), found->shape.end());
  return shape;
}

Status validate_infer(
    const ModelSignature& signature, const ModelConfig& config, const InferInput& input
) {
  for (std::size_t i = 0; i < input.inputs.size(); ++i) {
    const Tensor& tensor = input.inputs[i];
    CORTEX_RETURN_IF_ERROR(check_input(tensor, signature, config));
    if (find_tensor(input.inputs, tensor.name) != &tensor) {
      return invalid_argument(
          "input " + in_quotes(tensor.name) + " is given twice" + for_model(config)
      );
    }
  }
  const bool complete =
      std::all_of(signature.inputs.begin(), signature.inputs.end(), [&](const TensorSpec& spec) {
        return is_optional(spec, config) || find_tensor(input.inputs, spec.name) != nullptr;
      });
  if (!complete) return missing_inputs(signature, config, input);
  CORTEX_RETURN_IF_ERROR(check_batch(config, input));
  return check_outputs(signature, config, input);
}

}  // namespace cortex
