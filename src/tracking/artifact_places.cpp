// SPDX-License-Identifier: Apache-2.0
#include "tracking/artifact_places.h"

#include <utility>

#include "store/artifact_index.h"
#include "store/artifact_path.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"

namespace cortex::tracking {
namespace {

constexpr std::string_view kScheme = "mlflow-artifacts:";

Result<std::string> checked_path(std::string_view text) {
  // One '/' at the end is a habit of clients.
  if (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  CORTEX_RETURN_IF_ERROR(store::check_artifact_path(text));
  return std::string(text);
}

Result<registry::LoggedModelPlace> place_of_logged_model(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
) {
  CORTEX_ASSIGN_OR_RETURN(const LoggedModel model, find_logged_model(transaction, workspace, id));
  CORTEX_ASSIGN_OR_RETURN(std::string location, artifact_path_of(model.artifact_uri));
  return registry::LoggedModelPlace{std::move(location), model.source_run_id};
}

Result<std::string> folder_of_run(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
) {
  CORTEX_ASSIGN_OR_RETURN(const RunInfo run, find_run_info(transaction, workspace, id));
  return artifact_path_of(run.artifact_uri);
}

Result<bool> something_stands(
    store::Transaction& transaction, const std::string& workspace, const std::string& path
) {
  CORTEX_ASSIGN_OR_RETURN(const auto entry, store::find_artifact(transaction, workspace, path));
  return entry.has_value();
}

}  // namespace

Result<std::string> artifact_path_of(std::string_view uri) {
  std::string_view path = uri;
  if (path.starts_with(kScheme)) {
    path.remove_prefix(kScheme.size());
    // "scheme:/a" and "scheme:///a" name no host.
    if (path.starts_with("///")) path.remove_prefix(2);
    if (path.starts_with("/") && !path.starts_with("//")) return checked_path(path.substr(1));
  }
  return invalid_argument(
      "The artifacts at '" + std::string(uri) + "' are not kept by this server."
  );
}

registry::ArtifactLocations artifact_locations() {
  return {folder_of_run, place_of_logged_model, something_stands};
}

}  // namespace cortex::tracking
