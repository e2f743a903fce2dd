// SPDX-License-Identifier: Apache-2.0
#include <string_view>
#include <utility>

#include "store/filter.h"
#include "tracking/detail/page_select.h"
#include "tracking/detail/rows.h"
#include "tracking/experiments.h"
#include "tracking/search.h"

namespace cortex::tracking {
namespace {

using detail::PageSelect;
using store::Comparator;
using store::Comparison;
using store::Ordering;
using store::Transaction;

struct Attribute {
  std::string_view key;
  std::string_view column;
};
constexpr Attribute kAttributes[] = {
    {"creation_time", "e.created_at"},
    {"experiment_id", "e.id"},
    {"last_update_time", "e.updated_at"},
    {"name", "e.name"},
};

Result<bool> is_tag(const std::string& entity) {
  if (entity == "tag" || entity == "tags") return true;
  if (entity.empty() || entity == "attribute" || entity == "attributes") return false;
  return invalid_argument(
      "Invalid entity type '" + entity +
      "'. Valid entity types are ('attribute', 'attributes', 'tag', 'tags')"
  );
}

Result<std::string_view> column_of(const std::string& key) {
  for (const Attribute& known : kAttributes) {
    if (known.key == key) return known.column;
  }
  return invalid_argument(
      "Invalid attribute key '" + key +
      "' specified. Valid keys are '{'creation_time', 'experiment_id', 'last_update_time', "
      "'name'}'"
  );
}

// Ids are numbers in the table and texts in a filter.
Status filter_id(PageSelect& select, const Comparison& comparison) {
  CORTEX_RETURN_IF_ERROR(detail::check_text_value(comparison, "attributes"));
  if (comparison.comparator == Comparator::kLike || comparison.comparator == Comparator::kIlike) {
    return invalid_argument(
        "Invalid comparator for experiment_id: " +
        std::string(comparator_text(comparison.comparator))
    );
  }
  const bool list = comparison.kind == Comparison::Kind::kList;
  std::string values;
  for (const std::string& text : list ? comparison.list : std::vector{comparison.text}) {
    CORTEX_ASSIGN_OR_RETURN(const std::int64_t id, parse_experiment_id(text));
    values.append(values.empty() ? "" : ", ").append(select.parameter(id));
  }
  const bool in =
      comparison.comparator == Comparator::kEqual || comparison.comparator == Comparator::kIn;
  select.require((in ? "e.id IN (" : "e.id NOT IN (") + values + ")");
  return {};
}

Status filter_attribute(PageSelect& select, const Comparison& comparison) {
  CORTEX_ASSIGN_OR_RETURN(const std::string_view column, column_of(comparison.key));
  if (detail::is_null_check(comparison)) {
    return invalid_argument(
        "IS NULL / IS NOT NULL is only supported for tags, not for attribute '" + comparison.key +
        "'"
    );
  }
  if (column == "e.id") return filter_id(select, comparison);
  if (column != "e.name") {
    CORTEX_RETURN_IF_ERROR(
        detail::check_number_value(comparison, "numeric attribute: " + comparison.key)
    );
    if (comparison.kind == Comparison::Kind::kReal) {
      return invalid_argument(
          "Invalid value for numeric attribute '" + comparison.key + "': '" + comparison.text + "'"
      );
    }
  } else {
    if (comparison.kind == Comparison::Kind::kList) {
      return invalid_argument(
          "Only ['experiment_id'] attributes support comparison with a list of quoted string "
          "values."
      );
    }
    CORTEX_RETURN_IF_ERROR(detail::check_text_value(comparison, "attributes"));
  }
  select.require(column, comparison);
  return {};
}

Status filter_tag(PageSelect& select, const Comparison& comparison) {
  const bool presence = detail::is_null_check(comparison);
  if (comparison.kind == Comparison::Kind::kList) {
    return invalid_argument(
        "Expected a quoted string value for tag (e.g. 'my-value'). Got value " +
        detail::written(comparison)
    );
  }
  if (!presence) CORTEX_RETURN_IF_ERROR(detail::check_text_value(comparison, "tag"));
  select.require(comparison.comparator == Comparator::kIsNull ? "NOT EXISTS (" : "EXISTS (");
  select.where.append(
      "SELECT 1 FROM experiment_tag t WHERE t.workspace = e.workspace AND t.experiment = e.id "
      "AND t.key = "
  );
  select.where.append(select.parameter(comparison.key));
  if (!presence) select.require("t.value", comparison);
  select.where.append(")");
  return {};
}

Status order_experiments(PageSelect& select, const std::vector<std::string>& order_by) {
  if (order_by.size() > kOrderingsLimit) {
    return invalid_argument(
        "order_by may hold at most " + std::to_string(kOrderingsLimit) + " fields"
    );
  }
  bool by_id = false;
  for (const std::string& clause : order_by) {
    CORTEX_ASSIGN_OR_RETURN(const Ordering ordering, store::parse_ordering(clause));
    CORTEX_ASSIGN_OR_RETURN(const bool tag, is_tag(ordering.entity));
    if (tag) return invalid_argument("Invalid order_by entity: tag");
    CORTEX_ASSIGN_OR_RETURN(const std::string_view column, column_of(ordering.key));
    by_id = by_id || column == "e.id";
    select.keys.push_back({std::string(column), ordering.ascending});
  }
  if (order_by.empty()) select.keys.push_back({"e.created_at", false});
  if (!by_id) select.keys.push_back({"e.id", order_by.empty()});
  return {};
}

std::string scope_of(const std::string& workspace, const ExperimentQuery& query) {
  std::string out = "experiments\n" + workspace + "\n" + query.filter + "\n";
  for (const std::string& clause : query.order_by) out.append(clause).append("\n");
  return out.append(std::to_string(static_cast<int>(query.view)));
}

Result<PageSelect> select_experiments(const std::string& workspace, const ExperimentQuery& query) {
  PageSelect select;
  select.columns =
      "e.id, e.name, e.artifact_location, e.lifecycle_stage, e.created_at, e.updated_at";
  select.column_count = 6;
  select.from = "experiment e";
  select.where = "e.workspace = " + select.parameter(workspace);
  detail::require_view(select, "e.lifecycle_stage", query.view);
  CORTEX_ASSIGN_OR_RETURN(
      const std::vector<Comparison> comparisons, store::parse_filter(query.filter)
  );
  for (const Comparison& comparison : comparisons) {
    CORTEX_ASSIGN_OR_RETURN(const bool tag, is_tag(comparison.entity));
    CORTEX_RETURN_IF_ERROR(
        tag ? filter_tag(select, comparison) : filter_attribute(select, comparison)
    );
  }
  CORTEX_RETURN_IF_ERROR(order_experiments(select, query.order_by));
  return select;
}

}  // namespace

Result<ExperimentPage> search_experiments(
    Transaction& transaction, const std::string& workspace, const ExperimentQuery& query
) {
  CORTEX_ASSIGN_OR_RETURN(PageSelect select, select_experiments(workspace, query));
  CORTEX_ASSIGN_OR_RETURN(
      detail::SelectedPage page,
      detail::run_select(
          transaction,
          std::move(select),
          {scope_of(workspace, query), query.page_token, query.limit}
      )
  );
  ExperimentPage out;
  out.experiments.reserve(page.count);
  for (std::size_t row = 0; row < page.count; ++row) {
    out.experiments.push_back(detail::experiment_of(page.rows, row));
  }
  CORTEX_RETURN_IF_ERROR(detail::read_experiment_tags(transaction, workspace, out.experiments));
  out.next_page_token = std::move(page.next_page_token);
  return out;
}

}  // namespace cortex::tracking
