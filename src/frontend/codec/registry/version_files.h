// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/catalog/version_difference.h"
#include "store/artifact_store.h"
#include "store/transaction.h"

namespace cortex::frontend::registry_api {

// The files of a version that say what it takes and how it runs: MLmodel, model.yaml and
// config.pbtxt; those that are there.
struct VersionFiles {
  std::optional<store::Blob> mlmodel;
  std::optional<store::Blob> model_yaml;
  std::optional<store::Blob> config_pbtxt;
};
[[nodiscard]] Result<VersionFiles> find_version_files(
    store::Transaction& transaction, const std::string& workspace, const std::string& location
);

// Two versions by those files. What a file says of its own making (times, ids) does not count, and
// config.pbtxt is compared by its digest.
struct FileDifference {
  std::vector<registry::TextDifference> signature;
  std::vector<registry::TextDifference> config;
  std::vector<std::string> notes;  // files that could not be read
};
// Blocks: reads the files, 1 MiB of each at most. An artifact store that fails is an error.
[[nodiscard]] Result<FileDifference> compare_files(
    store::ArtifactStore& artifacts, const VersionFiles& left, const VersionFiles& right
);

}  // namespace cortex::frontend::registry_api
