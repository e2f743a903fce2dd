// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// Uploads in parts. Each part goes to an address of ours that holds the random id of its upload:
// clients send no key with a part, so who knows the id may.
[[nodiscard]] std::vector<MlflowRoute> multipart_routes();

}  // namespace cortex::frontend::mlflow
