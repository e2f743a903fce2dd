// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/tensor_backend.h"
#include "base/clock.h"
#include "base/status.h"
#include "request/model_config.h"
#include "request/servable.h"

namespace cortex::app {

// Runs the samples that the configuration declares. The error names the sample.
[[nodiscard]] Status warm_up_backend(backend::TensorBackend& backend, const ModelConfig& config);

// One run of zeros with every open dimension 1. Nobody said that the model takes that: what it
// answers is nothing to us.
void run_once(backend::TensorBackend& backend, const ModelConfig& config);

// Sends one short text through tokeniser, lane and pooling: as a document to rank, which every text
// model can.
[[nodiscard]] Status warm_up_text(Servable& servable, const Clock& clock);

// Has a language model say two tokens.
[[nodiscard]] Status warm_up_generation(Servable& servable, const Clock& clock);

}  // namespace cortex::app
