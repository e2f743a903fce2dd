// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// What a client asks about the server itself. /health is not here: the path is the server's own.
[[nodiscard]] std::vector<MlflowRoute> server_routes();

}  // namespace cortex::frontend::mlflow
