// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "backend/onnx/detail/ort_library.h"
#include "request/tensor.h"

namespace cortex::backend {

// Between our tensors and the library's values.

// Nothing for an element type that the wire does not know (complex, 8-bit floats, 4-bit integers).
[[nodiscard]] std::optional<DataType> datatype_of(ONNXTensorElementDataType type);

// A value over the tensor's own bytes where they are aligned for their type, over a copy where not.
// Strings are always copied. `kept` takes what must live as long as the value; the tensor must too.
[[nodiscard]] Status make_value(
    const OrtLibrary& library,
    const Tensor& tensor,
    OrtValue*& out,
    std::shared_ptr<const void>& kept
);

// Takes `value`. The tensor points into it and owns it, except strings, which are written in the
// wire's form.
[[nodiscard]] Status make_output(
    const OrtLibrary& library, const std::string& name, OrtOwned<OrtValue> value, Tensor& out
);

}  // namespace cortex::backend
