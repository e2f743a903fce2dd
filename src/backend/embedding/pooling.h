// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace cortex::backend {

// From a model's states, one row of out.size() values for each token, to one vector. Pure.

// The mean over the rows. REQUIRES: at least one row; states.size() is a multiple of out.size().
void pool_mean(std::span<const float> states, std::span<float> out);

// Scales to length 1; a vector of zeros stays one.
void normalize(std::span<float> vector);

}  // namespace cortex::backend
