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

// What serving follows: of every model the versions that are ready and not deleted, of which it
// may serve one: the newest, those that an alias points to or pointed to before, and the newest of
// each lifecycle stage.
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
  std::vector<ServedVersion> versions;           // by number
  std::map<std::string, std::int64_t> aliases;   // to versions; all of them stand in `versions`,
                                                 // except those that are not ready yet
  std::map<std::string, std::int64_t> previous;  // what these aliases pointed to before; not 0
};

// Versions of one model that are in its view for being new.
inline constexpr std::size_t kServedNewest = 200;

// Every model of the workspace, by name, also those without a version. Reads every version once.
[[nodiscard]] Result<std::vector<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace
);
// One of them; nullopt when there is none of that name. As quick with a million versions as with
// a thousand.
[[nodiscard]] Result<std::optional<ServedModel>> serving_view(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
);

}  // namespace cortex::registry
