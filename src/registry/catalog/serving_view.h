// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/catalog/lifecycle_stage.h"
#include "registry/catalog/semantic_version.h"
#include "store/transaction.h"

namespace cortex::registry {

// What serving follows: for every model its versions that are ready and not deleted.
struct ServedVersion {
  std::int64_t version = 0;
  std::string location;  // artifact path of its folder
  std::optional<SemanticVersion> semantic;
  LifecycleStage stage = LifecycleStage::kNone;
  bool deprecated = false;
  std::int64_t created_at = 0;  // milliseconds since the epoch

  bool operator==(const ServedVersion&) const = default;
};

struct ServedModel {
  std::string name;
  // Tells a model from an earlier one of the same name; it never comes back.
  std::int64_t identity = 0;
  // The store's, of the last change of the model or what belongs to it.
  std::int64_t revision = 0;
  std::vector<ServedVersion> versions;          // by number
  std::map<std::string, std::int64_t> aliases;  // to versions; all of them stand in `versions`,
                                                // except those that are not ready yet
};

// Every model of the workspace, by name, also those without a version.
[[nodiscard]] Result<std::vector<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace
);
// One of them; nullopt when there is none of that name.
[[nodiscard]] Result<std::optional<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
);

}  // namespace cortex::registry
