// SPDX-License-Identifier: Apache-2.0
#include "tracking/detail/page_select.h"

#include <algorithm>
#include <utility>

namespace cortex::tracking::detail {
namespace {

using store::Comparator;
using store::Comparison;
using store::Rows;
using store::Value;

// The value as a token keeps it: by the type that the database gave.
Value cell_value(const Rows& rows, std::size_t row, std::size_t column) {
  return rows.value(row, column);
}

Status bad_comparator(const Comparison& comparison, std::string_view known) {
  return invalid_argument(
      "Invalid comparator '" + std::string(comparator_text(comparison.comparator)) +
      "' not one of '{" + std::string(known) + "}'"
  );
}

}  // namespace

void PageSelect::require(std::string_view column, const Comparison& comparison) {
  where.append(" AND ");
  store::append_condition(where, parameters, column, comparison);
}

void PageSelect::order_nullable(
    std::string_view expression, std::string_view empty, bool ascending
) {
  const std::string text(expression);
  keys.push_back({"CASE WHEN " + text + " IS NULL THEN 1 ELSE 0 END", true});
  keys.push_back({"COALESCE(" + text + ", " + std::string(empty) + ")", ascending});
}

Result<SelectedPage> run_select(
    store::Transaction& transaction, PageSelect select, const PagePlace& place
) {
  std::string sql = "SELECT " + select.columns;
  for (const store::SortKey& key : select.keys) sql.append(", ").append(key.expression);
  sql.append(" FROM ").append(select.from).append(" WHERE ").append(select.where);
  if (!place.token.empty()) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::vector<Value> last, store::read_page_token(place.scope, place.token)
    );
    if (last.size() != select.keys.size()) return invalid_argument("Invalid page token");
    sql.append(" AND ");
    store::append_behind(sql, select.parameters, select.keys, last);
  }
  sql.append(" ORDER BY ");
  store::append_order(sql, select.keys);
  sql.append(" LIMIT ").append(select.parameter(static_cast<std::int64_t>(place.limit + 1)));
  SelectedPage page;
  CORTEX_ASSIGN_OR_RETURN(
      page.rows, transaction.query(sql, std::span<const Value>(select.parameters))
  );
  page.count = std::min(page.rows.size(), place.limit);
  if (page.rows.size() <= page.count || page.count == 0) return page;
  std::vector<Value> last;
  for (std::size_t i = 0; i < select.keys.size(); ++i) {
    last.push_back(cell_value(page.rows, page.count - 1, select.column_count + i));
  }
  page.next_page_token = store::make_page_token(place.scope, last);
  return page;
}

std::string number_list(PageSelect& select, std::span<const std::int64_t> numbers) {
  std::string out;
  for (const std::int64_t number : numbers) {
    if (!out.empty()) out.append(", ");
    out.append(select.parameter(number));
  }
  return out;
}

void require_view(PageSelect& select, std::string_view column, ViewType view) {
  if (view == ViewType::kAll) return;
  const std::string_view stage = view == ViewType::kActiveOnly ? " = 'active'" : " = 'deleted'";
  select.require(std::string(column).append(stage));
}

bool is_null_check(const Comparison& comparison) {
  return comparison.comparator == Comparator::kIsNull ||
         comparison.comparator == Comparator::kIsNotNull;
}

std::string written(const Comparison& comparison) {
  if (comparison.kind == Comparison::Kind::kText) return "'" + comparison.text + "'";
  if (comparison.kind != Comparison::Kind::kList) return comparison.text;
  std::string out = "(";
  for (const std::string& value : comparison.list) {
    out.append(out.size() > 1 ? ", '" : "'").append(value).append("'");
  }
  return out.append(")");
}

Status check_text_value(const Comparison& comparison, std::string_view what) {
  if (comparison.kind == Comparison::Kind::kWord) {
    return invalid_argument(
        "Parameter value is either not quoted or unidentified quote types used for string value " +
        comparison.text + ". Use either single or double quotes."
    );
  }
  if (store::is_text_comparison(comparison)) return {};
  if (comparison.kind == Comparison::Kind::kText) {
    return bad_comparator(comparison, "'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'");
  }
  return invalid_argument(
      "Expected a quoted string value for " + std::string(what) + " (e.g. 'my-value'). Got value " +
      written(comparison)
  );
}

Status check_number_value(const Comparison& comparison, std::string_view what) {
  if (store::is_number_comparison(comparison)) return {};
  const bool number =
      comparison.kind == Comparison::Kind::kInteger || comparison.kind == Comparison::Kind::kReal;
  if (number) return bad_comparator(comparison, "'>', '>=', '!=', '=', '<', '<='");
  return invalid_argument(
      "Expected numeric value type for " + std::string(what) + ". Found " + written(comparison)
  );
}

}  // namespace cortex::tracking::detail
