// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_locations.h"

#include <utility>

#include "registry/catalog/model_version.h"
#include "store/artifact_path.h"
#include "tracking/artifact_places.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"

namespace cortex::frontend::mlflow {
namespace {

constexpr std::string_view kScheme = "mlflow-artifacts:";

Result<ArtifactRoot> root_at(std::string uri) {
  CORTEX_ASSIGN_OR_RETURN(std::string path, tracking::artifact_path_of(uri));
  return ArtifactRoot{std::move(uri), std::move(path)};
}

}  // namespace

FindRoot root_of_run(std::string workspace, std::string run_id) {
  return [workspace = std::move(workspace),
          run_id = std::move(run_id)](store::Transaction& transaction) -> Result<ArtifactRoot> {
    CORTEX_ASSIGN_OR_RETURN(
        tracking::RunInfo run, tracking::find_run_info(transaction, workspace, run_id)
    );
    return root_at(std::move(run.artifact_uri));
  };
}

FindRoot root_of_logged_model(std::string workspace, std::string model_id) {
  return [workspace = std::move(workspace),
          model_id = std::move(model_id)](store::Transaction& transaction) -> Result<ArtifactRoot> {
    CORTEX_ASSIGN_OR_RETURN(
        tracking::LoggedModel model, tracking::find_logged_model(transaction, workspace, model_id)
    );
    return root_at(std::move(model.artifact_uri));
  };
}

FindRoot root_of_model_version(std::string workspace, std::string name, std::int64_t version) {
  return [workspace = std::move(workspace),
          id = registry::VersionId{std::move(name), version}](store::Transaction& transaction
         ) -> Result<ArtifactRoot> {
    CORTEX_ASSIGN_OR_RETURN(
        const registry::ModelVersion found, registry::find_version(transaction, workspace, id)
    );
    return ArtifactRoot{std::string(kScheme) + "/" + found.location, found.location};
  };
}

std::string join_artifact_path(std::string_view folder, std::string_view rest) {
  std::string path(folder);
  if (!folder.empty() && !rest.empty()) path.push_back('/');
  path.append(rest);
  return path;
}

Result<std::string> read_artifact_path(std::string_view text) {
  if (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  CORTEX_RETURN_IF_ERROR(store::check_artifact_path(text));
  return std::string(text);
}

}  // namespace cortex::frontend::mlflow
