// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "backend/synthetic/detail/synthetic_program.h"
#include "request/tensor.h"

namespace cortex::backend {

// All outputs of the program in the order of its signature. Pure. `inputs` stand in the signature's
// order and agree with it in datatype and rank; kInvalidArgument when their sizes do not go
// together.
[[nodiscard]] Result<std::vector<Tensor>> synthetic_results(
    const SyntheticProgram& program, const std::vector<Tensor>& inputs
);

}  // namespace cortex::backend
