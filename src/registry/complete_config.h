// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "request/model_config.h"
#include "request/signature.h"

namespace cortex::registry {

// max_batch_size of a model whose owner said nothing and whose shapes allow batches: enough to fill
// the engine, little enough that the activations of a batch stay small beside the weights.
inline constexpr std::size_t kDerivedBatchSize = 32;

// Whether complete_config() would choose batches: nobody said how many rows, every input has two
// dimensions or more, and the first dimension of all inputs and outputs varies. Whether it is that
// of a batch the model alone can tell: who finds that it is not closes the question
// (config.open.batch_size). Pure.
[[nodiscard]] bool derives_batching(const ModelConfig& config, const ModelSignature& signature);

// Fills in what the file left open and checks what it declares against the loaded model:
//  - max_batch_size, where nobody said it: kDerivedBatchSize and batching on where
//    derives_batching(), else 0;
//  - inputs and outputs, where none are declared: the model's, without the batch dimension;
//  - declared ones: names, datatypes and dimensions must fit; max_batch_size > 0 asks for a varying
//  first dimension;
//  - padding of lengths, where nobody said it: on for a text model whose second dimension varies;
//  - no batching and no padding where neighbours would change an answer, unless allow_variance;
//  - nothing of all that for a language model, which has no tensors and one instance.
// The error is kInvalidArgument and names the tensor. Pure. Thread-safe. Called by the loader once
// the model is open.
[[nodiscard]] Result<ModelConfig> complete_config(
    ModelConfig config, const ModelSignature& signature
);

}  // namespace cortex::registry
