// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "frontend/codec/mlflow/wire.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"

namespace cortex::frontend::mlflow {

// The entities of the registry as MLflow's messages, under `key` or as an element of a list.

// `latest` are those of the model alone.
void write_registered_model(
    JsonWriter& writer,
    std::string_view key,
    const registry::RegisteredModel& model,
    std::span<const registry::ModelVersion> latest
);
void write_model_version(
    JsonWriter& writer, std::string_view key, const registry::ModelVersion& version
);

// {"model_version": …}
void reply_model_version(std::string& body, const registry::ModelVersion& version);
// {"model_versions": […]}
void reply_model_versions(
    std::string& body,
    std::span<const registry::ModelVersion> versions,
    std::string_view next_page_token
);

}  // namespace cortex::frontend::mlflow
