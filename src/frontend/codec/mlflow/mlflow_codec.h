// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "frontend/codec/mlflow/mlflow_route.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::mlflow {

// MLflow's REST API over the store: tracking, model registry and artifacts, as its unmodified
// clients speak it. A request is parsed on the connection's thread, its work runs on the store's
// threads, and no other thread ever waits for the database.
// Store and artifacts outlive the codec; the codec outlives the server that its Apis are mounted
// on, and the works that it gave to the store. Thread-safe: keeps no state between requests.
class MlflowCodec {
 public:
  MlflowCodec(store::Store& store, store::ArtifactStore& artifacts, MlflowOptions options);
  ~MlflowCodec();

  // Makes what every workspace has, the experiment "Default", where it is missing. Blocks; once,
  // before the server starts.
  [[nodiscard]] Status prepare() const;

  // Waits for the transfers of artifacts that are under way. After the server has stopped, before
  // the artifacts go.
  void stop();

  // One for each mount point.
  [[nodiscard]] std::vector<Api> make_apis() const;

 private:
  std::unique_ptr<const Context> context_;
};

}  // namespace cortex::frontend::mlflow
