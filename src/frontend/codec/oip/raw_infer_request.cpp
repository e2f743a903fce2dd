// SPDX-License-Identifier: Apache-2.0
#include <span>
#include <string>
#include <utility>

#include "frontend/codec/oip/infer_request.h"
#include "request/validate_infer.h"

namespace cortex::frontend::oip {
namespace {

// A dimension that varies follows from the number of bytes.
Status fill_in_shape(const TensorSpec& spec, std::size_t size, Shape& shape) {
  std::int64_t* varying = nullptr;
  std::size_t known = element_size(spec.datatype);
  for (std::int64_t& dimension : shape) {
    if (dimension >= 0) {
      known *= static_cast<std::size_t>(dimension);
    } else if (varying == nullptr) {
      varying = &dimension;
    } else {
      return invalid_argument(
          "raw binary request: input '" + spec.name + "' has more than one variable dimension"
      );
    }
  }
  if (varying == nullptr) return {};
  if (known == 0 || size % known != 0) {
    return invalid_argument(
        "raw binary request: " + std::to_string(size) + " bytes do not fit input '" + spec.name +
        "' of shape " + shape_text(shape)
    );
  }
  *varying = static_cast<std::int64_t>(size / known);
  return {};
}

// The whole body is the one element.
Tensor one_string(const TensorSpec& spec, Shape shape, const Buffer& body) {
  const std::string text(body.text());
  Tensor tensor = tensor_of(spec.name, {1}, std::span(&text, 1));
  tensor.shape = std::move(shape);
  return tensor;
}

}  // namespace

Result<InferCall> read_raw_infer(
    const std::shared_ptr<const Buffer>& body, const registry::ServingVersion& version
) {
  const auto& inputs = version.signature.inputs;
  if (inputs.size() != 1) {
    return invalid_argument(
        "raw binary request: model '" + version.identity.name + "' has " +
        std::to_string(inputs.size()) + " inputs, must have one"
    );
  }
  const TensorSpec& spec = inputs.front();
  Tensor tensor{
      spec.name, spec.datatype, wire_shape(spec, version.config), body->bytes(), body, {}
  };
  if (version.config.max_batch_size > 0) tensor.shape.front() = 1;
  if (spec.datatype == DataType::kBytes) {
    for (std::int64_t& dimension : tensor.shape) dimension = dimension < 0 ? 1 : dimension;
    if (element_count(tensor.shape) != 1U) {
      return invalid_argument(
          "raw binary request: BYTES input '" + spec.name + "' must have one element"
      );
    }
    tensor = one_string(spec, std::move(tensor.shape), *body);
  } else {
    CORTEX_RETURN_IF_ERROR(fill_in_shape(spec, body->size(), tensor.shape));
    CORTEX_RETURN_IF_ERROR(validate(tensor));
  }
  InferCall call;
  call.input.inputs.push_back(std::move(tensor));
  call.plan.binary_default = true;
  return call;
}

}  // namespace cortex::frontend::oip
