// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "backend/llama/detail/tensor_type.h"

namespace cortex::backend {

// Whether no number of a tensor is infinite or none (NaN): of floats each, of quantised types the
// scales of each block. `blocks` are whole blocks of the type. Pure.
[[nodiscard]] bool numbers_are_finite(const TensorType& type, std::string_view blocks);

}  // namespace cortex::backend
