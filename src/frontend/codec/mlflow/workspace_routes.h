// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// The workspaces that a key may ask for. They come from the configuration: making, changing and
// deleting one is refused.
[[nodiscard]] std::vector<MlflowRoute> workspace_routes();

}  // namespace cortex::frontend::mlflow
