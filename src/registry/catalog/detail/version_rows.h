// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/catalog/model_version.h"
#include "store/transaction.h"

namespace cortex::registry {

struct VersionRow {
  std::int64_t model_id = 0;
  ModelVersion version;
};

// A query over every version of the models that stand, with the columns that read_version_row
// reads: conditions on v (model_version) and m (registered_model) follow behind AND.
[[nodiscard]] std::string select_versions();
[[nodiscard]] VersionRow read_version_row(const store::Rows& rows, std::size_t row);
[[nodiscard]] std::vector<VersionRow> read_version_rows(const store::Rows& rows);

// Tags and aliases of all of them.
[[nodiscard]] Status complete_versions(
    store::Transaction& transaction, const std::string& workspace, std::span<VersionRow> versions
);
[[nodiscard]] std::vector<ModelVersion> take_versions(std::vector<VersionRow> rows);

[[nodiscard]] Status version_not_found(const VersionId& id);

// A semantic version, where all three numbers stand.
[[nodiscard]] std::optional<SemanticVersion> read_semantic(
    const store::Rows& rows, std::size_t row, std::size_t column
);

}  // namespace cortex::registry
