// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "app/model_loader.h"

namespace cortex::app {

// Threads of an engine whose instance is one. One core is left to whoever reads and writes for the
// model: its threads meet at every layer, and wait for the one that lost its core.
[[nodiscard]] std::size_t engine_threads(const ModelConfig& config, const CoreBudget& cores);

// The model file of a version: the configuration's, else what the engine calls its own.
[[nodiscard]] std::filesystem::path version_file(
    const std::filesystem::path& folder, const ModelConfig& config, std::string_view otherwise
);

// What a saved state follows from beside its tokens: the file, how much the memory holds (some
// models turn their keys by it), and how the engine was told to run it. Names the states of a
// prefix store: those of another name are never restored.
[[nodiscard]] std::string state_model(
    const ModelConfig& config, const backend::SequenceModel& model
);

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
