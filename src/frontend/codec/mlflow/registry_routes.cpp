// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/registry_routes.h"

namespace cortex::frontend::mlflow {

std::vector<MlflowRoute> registry_routes() {
  std::vector<MlflowRoute> all = registered_model_routes();
  for (const auto& routes : {model_alias_routes(), model_version_routes()}) {
    all.insert(all.end(), routes.begin(), routes.end());
  }
  return all;
}

}  // namespace cortex::frontend::mlflow
