// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "backend/onnx/detail/ort_library.h"
#include "backend/tensor_backend.h"

namespace cortex::backend {

// A failed run. The model was loaded and the inputs fit its signature, so what an operator refuses
// are these inputs: shapes that do not go together, an index outside a table. kInvalidArgument
// then; kResourceExhausted without memory; else kInternal.
[[nodiscard]] Status run_error(const OrtFailure& failure);

// An input that the library does not take. kInvalidArgument; kResourceExhausted without memory.
[[nodiscard]] Status input_error(const std::string& input, const OrtFailure& failure);

// A failed load, told to the model's owner without the folder it lies in.
[[nodiscard]] Status load_error(const TensorBackendOptions& options, const OrtFailure& failure);

}  // namespace cortex::backend
