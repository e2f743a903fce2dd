// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/filter.h"
#include "store/keyset.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking::detail {

// A SELECT that is being put together, one page of it. Text is SQL of ours; values go through
// parameter().
struct PageSelect {
  std::string columns;
  std::size_t column_count = 0;
  std::string from;   // with its joins
  std::string where;  // conditions, joined by AND
  std::vector<store::SortKey> keys;
  std::vector<store::Value> parameters;

  [[nodiscard]] std::string parameter(store::Value value) {
    return store::add_parameter(parameters, std::move(value));
  }
  // Appends " AND " and the condition.
  void require(std::string_view condition) { where.append(" AND ").append(condition); }
  void require(std::string_view column, const store::Comparison& comparison);
  // Orders next by something that may be NULL, which comes last either way; `empty` is SQL for a
  // value of its type.
  void order_nullable(std::string_view expression, std::string_view empty, bool ascending);
};

struct SelectedPage {
  store::Rows rows;
  std::size_t count = 0;  // rows of this page: one more may have been read
  std::string next_page_token;
};

struct PagePlace {
  std::string scope;  // what the token is bound to
  std::string token;
  std::size_t limit = 0;
};
[[nodiscard]] Result<SelectedPage> run_select(
    store::Transaction& transaction, PageSelect select, const PagePlace& place
);

// "$1, $2": the numbers as parameters.
[[nodiscard]] std::string number_list(PageSelect& select, std::span<const std::int64_t> numbers);
// "column = 'active'", or nothing for all.
void require_view(PageSelect& select, std::string_view column, ViewType view);

// Whether a comparison fits a column of text or of numbers; the errors are MLflow's. `what` is the
// kind of thing: "metric", "parameter", "tag", "attribute", "dataset".
[[nodiscard]] Status check_text_value(const store::Comparison& comparison, std::string_view what);
[[nodiscard]] Status check_number_value(const store::Comparison& comparison, std::string_view what);
[[nodiscard]] bool is_null_check(const store::Comparison& comparison);
// As it was written, for an error.
[[nodiscard]] std::string written(const store::Comparison& comparison);

}  // namespace cortex::tracking::detail
