// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "request/tensor.h"

namespace cortex {

// One input or output of a model. A dimension of -1 varies from request to request.
struct TensorSpec {
  std::string name;
  DataType datatype = DataType::kFp32;
  Shape shape;  // as the model file says it, batch dimension included
  bool optional = false;
};

// What a loaded model takes and gives.
struct ModelSignature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  // The model scales over the whole batch (DynamicQuantizeLinear and its kin), so neighbours would
  // change an answer.
  bool batch_changes_answers = false;
  // The engine cannot say whether rows of a batch are computed as if each were alone: only trying
  // tells (backend/row_trial.h).
  bool rows_untried = false;
  // A language model: it takes conversations and prompts, and no tensors.
  bool generates = false;
};

// The input or output of that name, or null.
[[nodiscard]] inline const TensorSpec* find_spec(
    const std::vector<TensorSpec>& specs, std::string_view name
) {
  for (const TensorSpec& spec : specs) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace cortex
