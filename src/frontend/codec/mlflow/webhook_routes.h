// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// Webhooks: MLflow's routes, and the log of deliveries, which is not of MLflow's. Without a sender
// (Context::webhooks) they answer that webhooks are off.
[[nodiscard]] std::vector<MlflowRoute> webhook_routes();

}  // namespace cortex::frontend::mlflow
