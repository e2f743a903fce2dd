// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "request/model_config.h"
#include "request/request.h"
#include "request/signature.h"

namespace cortex {

// The shape that clients see and send: the configuration's dimensions where it has them, else the
// model file's. With a max_batch_size the first dimension is the batch, -1.
[[nodiscard]] Shape wire_shape(const TensorSpec& spec, const ModelConfig& config);

// Checks a request against what a model takes: every input known, there once, of the right type and
// shape, nothing missing, one batch size within the limit, only outputs that exist.
// kInvalidArgument with a text that names the model and the tensor, in the words that users of the
// protocol know. Pure. REQUIRES: each tensor is valid in itself (validate() in tensor.h).
[[nodiscard]] Status validate_infer(
    const ModelSignature& signature, const ModelConfig& config, const InferInput& input
);

}  // namespace cortex
