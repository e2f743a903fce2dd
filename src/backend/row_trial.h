// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/tensor_backend.h"

namespace cortex::backend {

// Whether the model computes each row of a batch as if it were alone: tried with a row and with two
// others, apart and together, of small values that differ by row. Dimensions that vary, but the
// first, take a few usual sizes in turn until the model takes one; where it takes none, nobody
// knows, and the answer is no. Rounding may differ: by 1/10000 of the largest value of an output,
// by 1/50 in 16 bits. What rows do to each other for other values alone is not seen.
// Blocks for three runs and up to one more for each size that the model refuses. REQUIRES: the
// first dimension of all inputs and outputs varies.
[[nodiscard]] bool rows_stand_alone(TensorBackend& backend);

}  // namespace cortex::backend
