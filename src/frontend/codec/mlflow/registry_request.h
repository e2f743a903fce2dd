// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"
#include "frontend/codec/mlflow/mlflow_route.h"
#include "frontend/codec/mlflow/wire.h"
#include "registry/catalog/authorship.h"
#include "registry/catalog/catalog_search.h"
#include "registry/catalog/model_version.h"

namespace cortex::frontend::mlflow {

// What several routes of the registry read alike. Faults are kept by the fields, or returned where
// a value is needed to go on.

// Who changes something: the key's name, now. Why may stand in the header x-cortex-reason, of which
// the first 1000 bytes are kept.
[[nodiscard]] registry::Authorship read_author(const Call& call);
// name and version.
[[nodiscard]] Result<registry::VersionId> read_version_id(const Fields& fields);
// tags[{key, value}]; of one key the last value counts.
[[nodiscard]] registry::Tags read_tags(const Fields& fields);
// filter, order_by[], page_token, max_results: `standard` when unset, at most `limit`.
[[nodiscard]] Result<registry::CatalogQuery> read_query(
    const Fields& fields, std::size_t standard, std::size_t limit
);
[[nodiscard]] bool is_prompt(const registry::Tags& tags);

}  // namespace cortex::frontend::mlflow
