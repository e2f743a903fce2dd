// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/status.h"
#include "request/tensor.h"
#include "scheduler/tensor_layout.h"
#include "scheduler/waiting.h"

namespace cortex::scheduler {

// Concatenates the members' tensors along the batch dimension into `inputs`, length inputs padded
// to the longest member. REQUIRES: every request was found to fit, and their keys are equal. May
// throw bad_alloc. kInternal when they do not belong together after all.
[[nodiscard]] Status gather(
    const TensorLayout& layout, const Batch& batch, std::vector<Tensor>& inputs
);

// kInternal when an output's bytes do not agree with its shape, or, for a model whose requests
// share batches, its first dimension is not `rows`.
[[nodiscard]] Status check_outputs(
    const TensorLayout& layout, std::size_t rows, const std::vector<Tensor>& outputs
);

// Cuts the rows of a batch out of `outputs`: answers[i] is for batch.members[i]. Answers share the
// batch's memory, unless several rows of one member must be cut back to its length. REQUIRES:
// check_outputs() found nothing. May throw bad_alloc.
void scatter(
    const TensorLayout& layout,
    const Batch& batch,
    const std::vector<Tensor>& outputs,
    std::vector<std::vector<Tensor>>& answers
);

}  // namespace cortex::scheduler
