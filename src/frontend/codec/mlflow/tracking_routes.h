// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "frontend/codec/mlflow/mlflow_route.h"

namespace cortex::frontend::mlflow {

// Experiments, runs and what they log, metric histories, logged models.
[[nodiscard]] std::vector<MlflowRoute> tracking_routes();

// Its parts.
[[nodiscard]] std::vector<MlflowRoute> experiment_routes();
[[nodiscard]] std::vector<MlflowRoute> run_routes();
[[nodiscard]] std::vector<MlflowRoute> metric_routes();
[[nodiscard]] std::vector<MlflowRoute> logged_model_routes();

}  // namespace cortex::frontend::mlflow
