// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "registry/catalog/model_version.h"
#include "store/transaction.h"

namespace cortex::registry {

// A data set that a version was made or measured with.
struct VersionDataset {
  std::string name;
  std::string digest;
  std::string context;  // "training", "evaluation", …; may be empty

  bool operator==(const VersionDataset&) const = default;
};

// One link of the chain: the run that made the version, the data it saw, what it improves on.
struct LineageLink {
  VersionId id;
  std::string run;
  std::string logged_model;
  std::vector<VersionDataset> datasets;
  std::optional<VersionId> baseline;
  bool deleted = false;  // a tombstone: the chain goes on behind it
};

// nullopt takes the baseline away. kFailedPrecondition: the version is its own ancestor then, or
// the chain is longer than 1000. kNotFound: one of the two does not stand.
[[nodiscard]] Status set_baseline(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::optional<VersionId>& baseline
);
// Adds those that it does not have.
[[nodiscard]] Status add_version_datasets(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    std::span<const VersionDataset> datasets
);
// From the oldest ancestor to the version itself, 1000 links at most. kFailedPrecondition: the
// chain in the database closes on itself.
[[nodiscard]] Result<std::vector<LineageLink>> find_lineage(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
);

}  // namespace cortex::registry
