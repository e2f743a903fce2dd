// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "registry/registry.h"

namespace cortex::frontend::oip {

// The JSON documents about models. Pure.

// GET /v2/models/{model}: name, versions, platform, inputs and outputs with the batch dimension.
[[nodiscard]] std::string metadata_document(const registry::ServingVersion& version);

// GET …/config: the configuration in the JSON form of Triton's model configuration, with the fields
// that mean something here. Dimensions are without the batch.
[[nodiscard]] std::string config_document(const registry::ServingVersion& version);

// POST /v2/repository/index.
[[nodiscard]] std::string index_document(
    const std::vector<registry::IndexEntry>& entries, bool ready_only
);

}  // namespace cortex::frontend::oip
