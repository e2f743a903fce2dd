// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "backend/llama/detail/llama_weights.h"
#include "request/model_facts.h"

namespace cortex::backend {

// What the library knows of the weights.
[[nodiscard]] WeightFacts weight_facts(const LlamaWeights& weights);

// The name that files and clients use for what the library calls so: "Q4_K_M" of "Q4_K - Medium".
// Empty for what the library does not know. Pure.
[[nodiscard]] std::string quantization_name(std::string_view library_name);

}  // namespace cortex::backend
