// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/catalog_search.h"
#include "registry/catalog/lineage.h"
#include "registry/catalog/model_version.h"
#include "store/transaction.h"

namespace cortex::frontend::registry_api {

// What several routes read alike.

// filter, order_by (repeated), limit, page_token.
[[nodiscard]] registry::CatalogQuery read_catalog_query(Query& query);

// How a client names a version: its number, "X.Y.Z", or "@alias". kInvalidArgument: none of these.
// kNotFound: the alias does not stand.
[[nodiscard]] Result<registry::ModelVersion> find_named_version(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const std::string& name
);

// "baseline": {"model", "version"}; the model is `standard` unless it is named.
[[nodiscard]] std::optional<registry::VersionId> read_baseline(
    const Fields& fields, const std::string& standard
);
// "datasets": [{"name", "digest", "context"}].
[[nodiscard]] std::vector<registry::VersionDataset> read_datasets(const Fields& fields);

// Plans a change of the version in the path, which answers with the version.
using VersionChange = std::function<Result<
    registry::
        ModelVersion>(store::Transaction&, const registry::Authorship&, const registry::VersionId&)>;
[[nodiscard]] Plan change_version(const Call& call, VersionChange change);
// The same, answered with 204.
using VersionTouch = std::function<
    Status(store::Transaction&, const registry::Authorship&, const registry::VersionId&)>;
[[nodiscard]] Plan touch_version(const Call& call, VersionTouch touch);

// Of a read of an entity: 304 without a body when the client has it already.
[[nodiscard]] Status answer_known(const Precondition& precondition, Answer& answer);

}  // namespace cortex::frontend::registry_api
