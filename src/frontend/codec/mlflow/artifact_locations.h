// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::frontend::mlflow {

// Where the artifacts of a thing lie: its address as clients see it, and the folder in the index.
struct ArtifactRoot {
  std::string uri;   // "mlflow-artifacts:/1/<run>/artifacts"
  std::string path;  // "1/<run>/artifacts"
};

// Finds a root; kNotFound when there is no such thing, kInvalidArgument when its artifacts are not
// kept by this server.
using FindRoot = std::function<Result<ArtifactRoot>(store::Transaction& transaction)>;

[[nodiscard]] FindRoot root_of_run(std::string workspace, std::string run_id);
[[nodiscard]] FindRoot root_of_logged_model(std::string workspace, std::string model_id);
[[nodiscard]] FindRoot root_of_model_version(
    std::string workspace, std::string name, std::int64_t version
);

// "a/b" of "a" and "b"; either may be empty.
[[nodiscard]] std::string join_artifact_path(std::string_view folder, std::string_view rest);

// A path as a client wrote it, checked; one '/' at its end is a habit of theirs.
[[nodiscard]] Result<std::string> read_artifact_path(std::string_view text);

}  // namespace cortex::frontend::mlflow
