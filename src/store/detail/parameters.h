// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// Refuses what not every database keeps as it is: kInvalidArgument for NaN, for text with a zero
// byte and for text that is no UTF-8.
[[nodiscard]] Status check_parameters(std::span<const Value> parameters);

}  // namespace cortex::store
