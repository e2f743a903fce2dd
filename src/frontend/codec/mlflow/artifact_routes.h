// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// Far above what one file is: the disk is the limit that is reached.
inline constexpr std::size_t kArtifactBytesLimit = std::size_t{1} << 42;

// The artifact proxy, artifacts by run, logged model and model version, and uploads in parts.
[[nodiscard]] std::vector<MlflowRoute> artifact_routes();

}  // namespace cortex::frontend::mlflow
