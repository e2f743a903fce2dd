// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "base/status.h"
#include "store/artifact_file.h"
#include "store/artifact_store.h"

namespace cortex::store {

// open_artifact_folder with calls that a test can make fail.
[[nodiscard]] Result<std::unique_ptr<ArtifactStore>> open_artifact_folder(
    const std::filesystem::path& folder, const DiskCalls& calls
);

}  // namespace cortex::store
