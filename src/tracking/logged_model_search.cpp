// SPDX-License-Identifier: Apache-2.0
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
using store::Transaction;

struct ModelAttribute {
  std::string_view key;
  std::string_view column;
  bool numeric = false;
};
constexpr ModelAttribute kModelAttributes[] = {
    {"model_id", "l.model_id"},
    {"name", "l.name"},
    {"model_type", "l.model_type"},
    {"status", "l.status"},
    {"source_run_id", "l.source_run_id"},
    {"artifact_location", "l.artifact_uri"},
    {"experiment_id", "l.experiment", true},
    {"creation_time", "l.created_at", true},
    {"creation_timestamp", "l.created_at", true},
    {"creation_timestamp_ms", "l.created_at", true},
    {"last_updated_timestamp", "l.updated_at", true},
    {"last_updated_timestamp_ms", "l.updated_at", true},
};

const ModelAttribute* attribute_of(std::string_view key) {
  for (const ModelAttribute& known : kModelAttributes) {
    if (known.key == key) return &known;
  }
  return nullptr;
}

Status bad_operator(const Comparison& comparison) {
  const std::string name =
      (comparison.entity.empty() ? "attributes" : comparison.entity) + "." + comparison.key;
  return invalid_argument(
      "Invalid comparison operator for " + name + ": '" +
      std::string(comparator_text(comparison.comparator)) + "'."
  );
}

// Only metrics on these count; nothing when there are none.
std::string dataset_condition(PageSelect& select, const std::vector<DatasetFilter>& datasets) {
  if (datasets.empty()) return {};
  std::string out = " AND (";
  for (const DatasetFilter& dataset : datasets) {
    if (&dataset != &datasets.front()) out.append(" OR ");
    out.append("(m.dataset_name = ").append(select.parameter(dataset.name));
    if (!dataset.digest.empty()) {
      out.append(" AND m.dataset_digest = ").append(select.parameter(dataset.digest));
    }
    out.append(")");
  }
  return out.append(")");
}

// The latest value of a metric, NULL for none.
std::string latest_value(
    PageSelect& select, const std::string& key, const std::vector<std::string>& conditions
) {
  std::string out =
      "(SELECT m.value FROM logged_model_metric m WHERE m.model = l.number AND m.key = " +
      select.parameter(key);
  for (const std::string& condition : conditions) out.append(condition);
  return out.append(" ORDER BY m.step DESC, m.at DESC, m.value DESC LIMIT 1)");
}

Status filter_status(PageSelect& select, const Comparison& comparison) {
  if (comparison.comparator == Comparator::kLike || comparison.comparator == Comparator::kIlike) {
    return invalid_argument(
        "Invalid comparison operator for status: " +
        std::string(comparator_text(comparison.comparator))
    );
  }
  const bool list = comparison.kind == Comparison::Kind::kList;
  for (const std::string& name : list ? comparison.list : std::vector{comparison.text}) {
    if (!parse_model_status(name)) {
      return invalid_argument("Unknown model status in filter: '" + name + "'");
    }
  }
  select.require("l.status", comparison);
  return {};
}

Status filter_model_attribute(PageSelect& select, const Comparison& comparison) {
  const ModelAttribute* attribute = attribute_of(comparison.key);
  if (attribute == nullptr) {
    return invalid_argument("Invalid attribute key '" + comparison.key + "' in the filter");
  }
  const bool fits = attribute->numeric ? store::is_number_comparison(comparison)
                                       : store::is_text_comparison(comparison);
  if (!fits) return bad_operator(comparison);
  if (attribute->key == "status") return filter_status(select, comparison);
  select.require(attribute->column, comparison);
  return {};
}

Status filter_text(PageSelect& select, const Comparison& comparison, std::string_view table) {
  if (!store::is_text_comparison(comparison)) return bad_operator(comparison);
  select.require("EXISTS (SELECT 1 FROM ");
  select.where.append(table).append(" t WHERE t.model = l.number AND t.key = ");
  select.where.append(select.parameter(comparison.key));
  select.require("t.value", comparison);
  select.where.append(")");
  return {};
}

Status filter_metric(
    PageSelect& select, const Comparison& comparison, const std::vector<DatasetFilter>& datasets
) {
  if (!store::is_number_comparison(comparison)) return bad_operator(comparison);
  const std::string value =
      latest_value(select, comparison.key, {dataset_condition(select, datasets)});
  select.require(value, comparison);
  return {};
}

Status filter_models(PageSelect& select, const LoggedModelQuery& query) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::vector<Comparison> comparisons, store::parse_filter(query.filter)
  );
  bool on_metrics = false;
  for (const Comparison& comparison : comparisons) {
    const std::string& entity = comparison.entity;
    if (detail::is_null_check(comparison)) return bad_operator(comparison);
    if (entity.empty() || entity == "attributes") {
      CORTEX_RETURN_IF_ERROR(filter_model_attribute(select, comparison));
    } else if (entity == "metrics") {
      on_metrics = true;
      CORTEX_RETURN_IF_ERROR(filter_metric(select, comparison, query.datasets));
    } else if (entity == "params") {
      CORTEX_RETURN_IF_ERROR(filter_text(select, comparison, "logged_model_param"));
    } else if (entity == "tags") {
      CORTEX_RETURN_IF_ERROR(filter_text(select, comparison, "logged_model_tag"));
    } else {
      return invalid_argument(
          "Invalid entity type: '" + entity +
          "'. Expected one of ['attributes', 'metrics', 'params', 'tags']."
      );
    }
  }
  if (query.datasets.empty() || on_metrics) return {};
  const std::string on_datasets = dataset_condition(select, query.datasets);
  select.require(
      "EXISTS (SELECT 1 FROM logged_model_metric m WHERE m.model = l.number" + on_datasets + ")"
  );
  return {};
}

// The key of "metrics.`key`".
std::string metric_key(std::string_view field) {
  std::string_view key = field.substr(field.find('.') + 1);
  if (key.size() >= 2 && key.front() == '`' && key.back() == '`') {
    key = key.substr(1, key.size() - 2);
  }
  return std::string(key);
}

Status order_by_metric(
    PageSelect& select, const LoggedModelOrder& order, const std::vector<DatasetFilter>& datasets
) {
  if (order.field.substr(0, order.field.find('.')) != "metrics") {
    return invalid_argument(
        "Invalid order by field name: " + order.field + ". Only metrics are supported."
    );
  }
  std::vector<std::string> conditions{dataset_condition(select, datasets)};
  if (!order.dataset_name.empty()) {
    conditions.push_back(" AND m.dataset_name = " + select.parameter(order.dataset_name));
  }
  if (!order.dataset_digest.empty()) {
    conditions.push_back(" AND m.dataset_digest = " + select.parameter(order.dataset_digest));
  }
  const std::string value = latest_value(select, metric_key(order.field), conditions);
  select.order_nullable(value, "0.0", order.ascending);
  return {};
}

Status order_models(PageSelect& select, const LoggedModelQuery& query) {
  if (query.order_by.size() > kOrderingsLimit) {
    return invalid_argument(
        "order_by may hold at most " + std::to_string(kOrderingsLimit) + " fields"
    );
  }
  bool by_age = false;
  bool by_id = false;
  for (const LoggedModelOrder& order : query.order_by) {
    if (order.field.find('.') != std::string::npos) {
      CORTEX_RETURN_IF_ERROR(order_by_metric(select, order, query.datasets));
      continue;
    }
    const ModelAttribute* attribute = attribute_of(order.field);
    if (attribute == nullptr) {
      return invalid_argument("Invalid order by field name: " + order.field);
    }
    by_age = by_age || attribute->column == "l.created_at";
    by_id = by_id || attribute->column == "l.model_id";
    select.keys.push_back({std::string(attribute->column), order.ascending});
  }
  if (!by_age) select.keys.push_back({"l.created_at", false});
  if (!by_id) select.keys.push_back({"l.model_id", true});
  return {};
}

std::string scope_of(const std::string& workspace, const LoggedModelQuery& query) {
  std::string out = "models\n" + workspace + "\n" + query.filter + "\n";
  for (const LoggedModelOrder& order : query.order_by) {
    out.append(order.field).append(order.ascending ? "+" : "-").append(order.dataset_name);
    out.append("\n").append(order.dataset_digest).append("\n");
  }
  for (const std::int64_t id : query.experiments) out.append(std::to_string(id)).append(",");
  for (const DatasetFilter& dataset : query.datasets) {
    out.append(dataset.name).append("\n").append(dataset.digest).append("\n");
  }
  return out;
}

Result<PageSelect> select_models(const std::string& workspace, const LoggedModelQuery& query) {
  PageSelect select;
  select.columns = detail::kModelColumns;
  select.column_count = detail::kModelColumnCount;
  select.from = "logged_model l";
  select.where = "l.workspace = " + select.parameter(workspace);
  select.require("l.experiment IN (" + detail::number_list(select, query.experiments) + ")");
  detail::require_view(select, "l.lifecycle_stage", ViewType::kActiveOnly);
  for (const DatasetFilter& dataset : query.datasets) {
    if (!dataset.name.empty()) continue;
    return invalid_argument("`dataset_name` in the `datasets` clause must be specified.");
  }
  CORTEX_RETURN_IF_ERROR(filter_models(select, query));
  CORTEX_RETURN_IF_ERROR(order_models(select, query));
  return select;
}

}  // namespace

Result<LoggedModelPage> search_logged_models(
    Transaction& transaction, const std::string& workspace, const LoggedModelQuery& query
) {
  CORTEX_ASSIGN_OR_RETURN(PageSelect select, select_models(workspace, query));
  LoggedModelPage out;
  if (query.experiments.empty()) return out;
  CORTEX_ASSIGN_OR_RETURN(
      detail::SelectedPage page,
      detail::run_select(
          transaction,
          std::move(select),
          {scope_of(workspace, query), query.page_token, query.limit}
      )
  );
  std::vector<detail::StoredModel> stored;
  stored.reserve(page.count);
  for (std::size_t row = 0; row < page.count; ++row) {
    stored.push_back(detail::model_of(page.rows, row));
  }
  CORTEX_ASSIGN_OR_RETURN(out.models, detail::read_models(transaction, std::move(stored)));
  out.next_page_token = std::move(page.next_page_token);
  return out;
}

}  // namespace cortex::tracking
