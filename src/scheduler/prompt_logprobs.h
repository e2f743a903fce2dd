// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "request/sequence.h"

namespace cortex::scheduler {

// What the model thought of a token that was given, not drawn, and of the `top` most likely ones.
[[nodiscard]] SampledToken logprob_of(std::span<const float> logits, Token token, std::size_t top);

}  // namespace cortex::scheduler
