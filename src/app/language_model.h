// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "app/model_loader.h"

namespace cortex::app {

// Turns the version folder of a language model into a servable: engine, lane, template, warm-up. A
// chat template of the model's own that cannot be compiled leaves it without conversations, and the
// log says why; a configured one fails the load. Thread-safe; runs on loader threads.
[[nodiscard]] Result<registry::LoadedModel> load_language_model(
    const LoaderParts& parts,
    backend::SequenceEngine& engine,
    ModelConfig config,
    const std::filesystem::path& folder,
    const ModelIdentity& identity
);

}  // namespace cortex::app
