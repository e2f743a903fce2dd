// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/tracking_routes.h"

namespace cortex::frontend::mlflow {

std::vector<MlflowRoute> tracking_routes() {
  std::vector<MlflowRoute> all = experiment_routes();
  for (auto routes : {run_routes(), metric_routes(), logged_model_routes()}) {
    all.insert(all.end(), routes.begin(), routes.end());
  }
  return all;
}

}  // namespace cortex::frontend::mlflow
