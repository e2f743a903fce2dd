// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/status.h"
#include "request/tensor.h"

namespace cortex::frontend::oip {

// The best `classes` elements of a tensor of scores, best first, as BYTES "value:index": [classes],
// or [batch, classes] when the first dimension is a batch. Fewer where there are fewer elements.
// Equal scores come in the order of their indices. kInvalidArgument for a type that has no order
// (BOOL, BYTES) or is no C++ number (FP16, BF16).
[[nodiscard]] Result<Tensor> classify(const Tensor& scores, std::uint64_t classes, bool batched);

}  // namespace cortex::frontend::oip
