// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "store/transaction.h"

namespace cortex::registry {

// A search in MLflow's language, page by page. A page begins behind the last row of the one before,
// so that rows that come or go in between move nothing else.
struct CatalogQuery {
  std::string filter;                 // comparisons joined by AND; empty: everything
  std::vector<std::string> order_by;  // "name ASC", "last_updated_timestamp DESC", …
  std::size_t limit = 100;
  std::string page_token;  // of the page before; it fits the same filter and order alone
  std::string model = {};  // this one's alone; empty: of all
};

template <typename T>
struct CatalogPage {
  std::vector<T> items;
  std::string next_page_token;  // empty: the last page
};

// kInvalidArgument: filter, order or token; the text says where.

// name (also IN) and tags by =, !=, LIKE and ILIKE; ordered by name unless asked otherwise. Prompts
// (models with the tag mlflow.prompt.is_prompt) are left out unless the filter asks for them.
[[nodiscard]] Result<CatalogPage<RegisteredModel>> search_models(
    store::Transaction& transaction, const std::string& workspace, const CatalogQuery& query
);
// name and run_id (also IN), source_path, version_number, tags; ordered by last_updated_timestamp
// DESC, name and the greatest number unless asked otherwise. Prompts are left out likewise.
[[nodiscard]] Result<CatalogPage<ModelVersion>> search_versions(
    store::Transaction& transaction, const std::string& workspace, const CatalogQuery& query
);

}  // namespace cortex::registry
