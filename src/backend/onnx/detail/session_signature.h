// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/onnx/detail/ort_library.h"
#include "request/signature.h"

namespace cortex::backend {

// What a session takes and gives. kFailedPrecondition names an input or output that is no tensor of
// a known type. A tensor of unknown rank reads as a scalar: the library's interface tells them
// apart from level 24 on only.
[[nodiscard]] Result<ModelSignature> session_signature(
    const OrtLibrary& library, const OrtSession* session
);

}  // namespace cortex::backend
