// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/lifecycle_stage.h"
#include "registry/catalog/lineage.h"
#include "registry/catalog/model_version.h"

namespace cortex::frontend::registry_api {
namespace {

using registry::Authorship;
using registry::ModelVersion;
using registry::VersionId;
using store::Transaction;

Result<Plan> deprecate(const Call& call) {
  return change_version(call, registry::deprecate_version);
}

Result<Plan> undeprecate(const Call& call) {
  return change_version(call, registry::undo_deprecation);
}

Result<Plan> move_to_stage(const Call& call) {
  const auto stage = registry::parse_stage(call.fields.required_text("stage"));
  if (!stage.ok()) call.fields.refuse("stage", stage.status().text());
  const bool archive = call.fields.flag("archive_existing");
  return change_version(
      call,
      [stage = stage.ok() ? *stage : registry::LifecycleStage::kNone, archive](
          Transaction& transaction, const Authorship& author, const VersionId& id
      ) { return registry::transition_stage(transaction, author, id, stage, archive); }
  );
}

Result<Plan> put_version_tag(const Call& call) {
  return touch_version(
      call,
      [key = call.path_value(2), value = call.fields.text("value")](
          Transaction& transaction, const Authorship& author, const VersionId& id
      ) { return registry::set_version_tag(transaction, author, id, key, value); }
  );
}

Result<Plan> delete_version_tag(const Call& call) {
  return touch_version(
      call,
      [key = call.path_value(2)](
          Transaction& transaction, const Authorship& author, const VersionId& id
      ) { return registry::delete_version_tag(transaction, author, id, key); }
  );
}

Result<ModelVersion> move_baseline(
    Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::optional<VersionId>& baseline
) {
  CORTEX_RETURN_IF_ERROR(registry::set_baseline(transaction, author, id, baseline));
  return registry::find_version(transaction, author.workspace, id);
}

Result<Plan> put_baseline(const Call& call) {
  VersionId baseline{call.fields.text("model"), call.fields.required_integer("version")};
  if (baseline.model.empty()) baseline.model = call.path_value(0);
  return change_version(
      call,
      [baseline = std::move(baseline)](
          Transaction& transaction, const Authorship& author, const VersionId& id
      ) { return move_baseline(transaction, author, id, baseline); }
  );
}

Result<Plan> delete_baseline(const Call& call) {
  return touch_version(
      call,
      [](Transaction& transaction, const Authorship& author, const VersionId& id) {
        return move_baseline(transaction, author, id, std::nullopt).status();
      }
  );
}

Result<Plan> add_datasets(const Call& call) {
  std::vector<registry::VersionDataset> datasets = read_datasets(call.fields);
  if (datasets.empty()) call.fields.refuse("datasets", "is missing");
  return touch_version(
      call,
      [datasets = std::move(datasets)](
          Transaction& transaction, const Authorship& author, const VersionId& id
      ) { return registry::add_version_datasets(transaction, author, id, datasets); }
  );
}

}  // namespace

std::vector<RegistryRoute> version_change_routes() {
  constexpr std::string_view kTag = "/registry/models/{model}/versions/{version}/tags/{key}";
  constexpr std::string_view kBaseline = "/registry/models/{model}/versions/{version}/baseline";
  return {
      {Method::kPost,
       "/registry/models/{model}/versions/{version}/deprecate",
       "Deprecate a version, with a reason",
       "RegistryReason",
       "RegistryVersion",
       200,
       replay_parameters(),
       deprecate},
      {Method::kPost,
       "/registry/models/{model}/versions/{version}/undeprecate",
       "Take a deprecation back",
       "RegistryReason",
       "RegistryVersion",
       200,
       replay_parameters(),
       undeprecate},
      {Method::kPost,
       "/registry/models/{model}/versions/{version}/stage",
       "Move a version to another lifecycle stage",
       "RegistryStage",
       "RegistryVersion",
       200,
       replay_parameters(),
       move_to_stage},
      {Method::kPut,
       kTag,
       "Set a tag of a version",
       "RegistryTagValue",
       "",
       204,
       change_parameters(),
       put_version_tag},
      {Method::kDelete,
       kTag,
       "Delete a tag of a version",
       "",
       "",
       204,
       change_parameters(),
       delete_version_tag},
      {Method::kPut,
       kBaseline,
       "Say what a version improves on",
       "RegistryBaseline",
       "RegistryVersion",
       200,
       change_parameters(),
       put_baseline},
      {Method::kDelete,
       kBaseline,
       "Take the baseline of a version away",
       "",
       "",
       204,
       change_parameters(),
       delete_baseline},
      {Method::kPost,
       "/registry/models/{model}/versions/{version}/datasets",
       "Add data sets that a version was made or measured with",
       "RegistryDatasets",
       "",
       204,
       replay_parameters(),
       add_datasets},
  };
}

}  // namespace cortex::frontend::registry_api
