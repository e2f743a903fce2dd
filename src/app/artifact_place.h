// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "base/status.h"
#include "config/settings.h"
#include "metrics/exposition.h"
#include "store/artifact_s3.h"
#include "store/artifact_store.h"

namespace cortex::app {

// The artifact store that the settings name: `folder`, or a bucket. Blocks.
[[nodiscard]] Result<std::unique_ptr<store::ArtifactStore>> open_artifacts(
    const config::ArtifactSettings& settings, const std::filesystem::path& folder
);

// kInvalidArgument for what is no s3://BUCKET[/PREFIX], or without credentials; kNotFound when
// their file cannot be read.
[[nodiscard]] Result<store::S3Options> bucket_options(const config::ArtifactSettings& settings);

// The key pair of the section [default].
[[nodiscard]] store::S3Credentials parse_credentials(std::string_view file);

// As cortex_artifact_*; nothing for a folder.
void write_artifact_traffic(metrics::Exposition& out, const store::ArtifactStore& artifacts);

}  // namespace cortex::app
