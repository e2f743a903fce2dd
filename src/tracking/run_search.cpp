// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "store/filter.h"
#include "tracking/detail/page_select.h"
#include "tracking/detail/rows.h"
#include "tracking/search.h"

namespace cortex::tracking {
namespace {

using detail::PageSelect;
using store::Comparator;
using store::Comparison;
using store::Ordering;
using store::Transaction;

enum class Entity : std::uint8_t { kMetric, kParam, kTag, kAttribute, kDataset };

struct EntityName {
  std::string_view name;
  Entity entity;
};
constexpr EntityName kEntities[] = {
    {"metric", Entity::kMetric},
    {"metrics", Entity::kMetric},
    {"parameter", Entity::kParam},
    {"parameters", Entity::kParam},
    {"param", Entity::kParam},
    {"params", Entity::kParam},
    {"tag", Entity::kTag},
    {"tags", Entity::kTag},
    {"attribute", Entity::kAttribute},
    {"attributes", Entity::kAttribute},
    {"attr", Entity::kAttribute},
    {"run", Entity::kAttribute},
    {"", Entity::kAttribute},
    {"dataset", Entity::kDataset},
    {"datasets", Entity::kDataset},
};

struct RunAttribute {
  std::string_view key;
  std::string_view column;
  bool numeric = false;
  bool nullable = false;
};
constexpr RunAttribute kRunAttributes[] = {
    {"artifact_uri", "r.artifact_uri"},
    {"end_time", "r.end_time", true, true},
    {"run_id", "r.run_id"},
    {"run_name", "r.name"},
    {"run name", "r.name"},
    {"Run name", "r.name"},
    {"Run Name", "r.name"},
    {"start_time", "r.start_time", true},
    {"created", "r.start_time", true},
    {"Created", "r.start_time", true},
    {"status", "r.status"},
    {"user_id", "r.user_id"},
};

Result<Entity> entity_of(const std::string& name) {
  for (const EntityName& known : kEntities) {
    if (known.name == name) return known.entity;
  }
  return invalid_argument(
      "Invalid entity type '" + name +
      "'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
  );
}

Result<RunAttribute> attribute_of(const std::string& key) {
  for (const RunAttribute& known : kRunAttributes) {
    if (known.key == key) return known;
  }
  std::string keys;
  for (const RunAttribute& known : kRunAttributes) {
    keys.append(keys.empty() ? "'" : ", '").append(known.key).append("'");
  }
  return invalid_argument(
      "Invalid attribute key '" + key + "' specified. Valid keys are '{" + keys + "}'"
  );
}

Status filter_run_attribute(PageSelect& select, const Comparison& comparison) {
  CORTEX_ASSIGN_OR_RETURN(const RunAttribute attribute, attribute_of(comparison.key));
  if (attribute.numeric) {
    CORTEX_RETURN_IF_ERROR(
        detail::check_number_value(comparison, "numeric attribute: " + comparison.key)
    );
  } else {
    if (comparison.kind == Comparison::Kind::kList && comparison.key != "run_id") {
      return invalid_argument(
          "Only ['run_id'] attributes support comparison with a list of quoted string values."
      );
    }
    CORTEX_RETURN_IF_ERROR(detail::check_text_value(comparison, "attributes"));
  }
  select.require(attribute.column, comparison);
  return {};
}

Status filter_metric(PageSelect& select, const Comparison& comparison) {
  CORTEX_RETURN_IF_ERROR(detail::check_number_value(comparison, "metric"));
  select.require("EXISTS (SELECT 1 FROM latest_metric m WHERE m.run = r.number AND m.key = ");
  select.where.append(select.parameter(comparison.key)).append(" AND (");
  store::append_condition(select.where, select.parameters, "m.value", comparison);
  // NaN lies in the table as 0 with a flag; it differs from every number and is nothing else.
  const bool unlike = comparison.comparator == Comparator::kNotEqual;
  select.where.append(unlike ? " OR m.is_nan = 1))" : " AND m.is_nan = 0))");
  return {};
}

Status filter_text(PageSelect& select, const Comparison& comparison, Entity entity) {
  const bool param = entity == Entity::kParam;
  if (!detail::is_null_check(comparison)) {
    const std::string_view what = param ? "parameter" : "tag";
    Comparison single = comparison;
    // A list is refused in the words for what is no text.
    if (single.kind == Comparison::Kind::kList) single.comparator = Comparator::kEqual;
    CORTEX_RETURN_IF_ERROR(detail::check_text_value(single, what));
  }
  select.require(comparison.comparator == Comparator::kIsNull ? "NOT EXISTS (" : "EXISTS (");
  select.where.append("SELECT 1 FROM ").append(param ? "run_param" : "run_tag");
  select.where.append(" t WHERE t.run = r.number AND t.key = ");
  select.where.append(select.parameter(comparison.key));
  if (!detail::is_null_check(comparison)) select.require("t.value", comparison);
  select.where.append(")");
  return {};
}

Status filter_dataset(PageSelect& select, const Comparison& comparison) {
  const bool context = comparison.key == "context";
  if (!context && comparison.key != "name" && comparison.key != "digest") {
    return invalid_argument(
        "Invalid dataset key '" + comparison.key +
        "' specified. Valid keys are '{'context', 'digest', 'name'}'"
    );
  }
  CORTEX_RETURN_IF_ERROR(detail::check_text_value(comparison, "dataset attributes"));
  if (context) {
    select.require(
        "EXISTS (SELECT 1 FROM run_dataset_tag t WHERE t.run = r.number "
        "AND t.key = 'mlflow.data.context'"
    );
    select.require("t.value", comparison);
  } else {
    select.require(
        "EXISTS (SELECT 1 FROM run_dataset rd JOIN dataset d ON d.number = rd.dataset "
        "WHERE rd.run = r.number"
    );
    select.require("d." + comparison.key, comparison);
  }
  select.where.append(")");
  return {};
}

Status filter_one(PageSelect& select, const Comparison& comparison) {
  CORTEX_ASSIGN_OR_RETURN(const Entity entity, entity_of(comparison.entity));
  const bool text = entity == Entity::kParam || entity == Entity::kTag;
  if (detail::is_null_check(comparison) && !text) {
    const std::string_view name = entity == Entity::kMetric      ? "metric"
                                  : entity == Entity::kAttribute ? "attribute"
                                                                 : "dataset";
    return invalid_argument(
        "IS NULL / IS NOT NULL is only supported for tags and params, not for '" +
        std::string(name) + "' '" + comparison.key + "'"
    );
  }
  switch (entity) {
    case Entity::kMetric:
      return filter_metric(select, comparison);
    case Entity::kAttribute:
      return filter_run_attribute(select, comparison);
    case Entity::kDataset:
      return filter_dataset(select, comparison);
    case Entity::kParam:
    case Entity::kTag:
      break;
  }
  return filter_text(select, comparison, entity);
}

Status order_by_attribute(PageSelect& select, const Ordering& ordering, bool& by_start) {
  CORTEX_ASSIGN_OR_RETURN(const RunAttribute attribute, attribute_of(ordering.key));
  by_start = by_start || attribute.column == "r.start_time";
  if (attribute.nullable) {
    select.order_nullable(attribute.column, "0", ordering.ascending);
  } else {
    select.keys.push_back({std::string(attribute.column), ordering.ascending});
  }
  return {};
}

void order_by_joined(PageSelect& select, const Ordering& ordering, Entity entity) {
  const std::string name = "o" + std::to_string(select.keys.size());
  const std::string_view table = entity == Entity::kMetric  ? "latest_metric"
                                 : entity == Entity::kParam ? "run_param"
                                                            : "run_tag";
  select.from.append(" LEFT JOIN ").append(table).append(" ").append(name);
  select.from.append(" ON ").append(name).append(".run = r.number AND ").append(name);
  select.from.append(".key = ").append(select.parameter(ordering.key));
  if (entity != Entity::kMetric) {
    return select.order_nullable(name + ".value", "''", ordering.ascending);
  }
  const std::string rank =
      "CASE WHEN " + name + ".is_nan = 1 THEN 1 WHEN " + name + ".value IS NULL THEN 2 ELSE 0 END";
  select.keys.push_back({rank, true});
  select.keys.push_back({"COALESCE(" + name + ".value, 0.0)", ordering.ascending});
}

Status order_runs(PageSelect& select, const std::vector<std::string>& order_by) {
  if (order_by.size() > kOrderingsLimit) {
    return invalid_argument(
        "order_by may hold at most " + std::to_string(kOrderingsLimit) + " fields"
    );
  }
  bool by_start = false;
  std::set<std::pair<Entity, std::string>> seen;
  for (const std::string& clause : order_by) {
    CORTEX_ASSIGN_OR_RETURN(const Ordering ordering, store::parse_ordering(clause));
    CORTEX_ASSIGN_OR_RETURN(const Entity entity, entity_of(ordering.entity));
    if (!seen.emplace(entity, ordering.key).second) {
      return invalid_argument("`order_by` contains duplicate fields: '" + clause + "'");
    }
    if (entity == Entity::kDataset) {
      return invalid_argument("Invalid identifier type 'dataset'");
    }
    if (entity == Entity::kAttribute) {
      CORTEX_RETURN_IF_ERROR(order_by_attribute(select, ordering, by_start));
    } else {
      order_by_joined(select, ordering, entity);
    }
  }
  if (!by_start) select.keys.push_back({"r.start_time", false});
  select.keys.push_back({"r.run_id", true});
  return {};
}

std::string scope_of(const std::string& workspace, const RunQuery& query) {
  std::string out = "runs\n" + workspace + "\n" + query.filter + "\n";
  for (const std::string& clause : query.order_by) out.append(clause).append("\n");
  for (const std::int64_t id : query.experiments) out.append(std::to_string(id)).append(",");
  return out.append(std::to_string(static_cast<int>(query.view)));
}

Result<PageSelect> select_runs(const std::string& workspace, const RunQuery& query) {
  PageSelect select;
  select.columns = detail::kRunColumns;
  select.column_count = detail::kRunColumnCount;
  select.from = "run r";
  select.where = "r.workspace = " + select.parameter(workspace);
  select.require("r.experiment IN (" + detail::number_list(select, query.experiments) + ")");
  detail::require_view(select, "r.lifecycle_stage", query.view);
  CORTEX_ASSIGN_OR_RETURN(
      const std::vector<Comparison> comparisons, store::parse_filter(query.filter)
  );
  for (const Comparison& comparison : comparisons) {
    CORTEX_RETURN_IF_ERROR(filter_one(select, comparison));
  }
  CORTEX_RETURN_IF_ERROR(order_runs(select, query.order_by));
  return select;
}

}  // namespace

Result<RunPage> search_runs(
    Transaction& transaction, const std::string& workspace, const RunQuery& query
) {
  CORTEX_ASSIGN_OR_RETURN(PageSelect select, select_runs(workspace, query));
  RunPage out;
  if (query.experiments.empty()) return out;
  CORTEX_ASSIGN_OR_RETURN(
      detail::SelectedPage page,
      detail::run_select(
          transaction,
          std::move(select),
          {scope_of(workspace, query), query.page_token, query.limit}
      )
  );
  std::vector<detail::StoredRun> stored;
  stored.reserve(page.count);
  for (std::size_t row = 0; row < page.count; ++row) {
    stored.push_back(detail::run_of(page.rows, row));
  }
  CORTEX_ASSIGN_OR_RETURN(out.runs, detail::read_runs(transaction, std::move(stored)));
  out.next_page_token = std::move(page.next_page_token);
  return out;
}

}  // namespace cortex::tracking
