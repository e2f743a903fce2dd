// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// The routes of the model registry: all of them, and each part.
[[nodiscard]] std::vector<MlflowRoute> registry_routes();
[[nodiscard]] std::vector<MlflowRoute> registered_model_routes();
[[nodiscard]] std::vector<MlflowRoute> model_alias_routes();
[[nodiscard]] std::vector<MlflowRoute> model_version_routes();

}  // namespace cortex::frontend::mlflow
