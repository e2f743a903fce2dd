// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "registry/catalog/version_source.h"

namespace cortex::tracking {

// The folder in the artifact index that an address of ours means: "1/<run>/artifacts" for
// "mlflow-artifacts:/1/<run>/artifacts". kInvalidArgument: this server does not keep it.
[[nodiscard]] Result<std::string> artifact_path_of(std::string_view uri);

// What tracking and the artifact index know of the places that sources of versions name.
[[nodiscard]] registry::ArtifactLocations artifact_locations();

}  // namespace cortex::tracking
