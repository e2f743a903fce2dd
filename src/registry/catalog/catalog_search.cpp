// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/catalog_search.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "registry/catalog/detail/model_rows.h"
#include "registry/catalog/detail/version_rows.h"
#include "store/filter.h"
#include "store/keyset.h"

namespace cortex::registry {
namespace {

using store::Comparison;
using store::Value;

constexpr std::string_view kPromptTag = "mlflow.prompt.is_prompt";

// What can be searched or ordered by, and where it stands.
struct Column {
  std::string_view name;
  std::string_view expression;
  bool is_number = false;
  bool in_filter = false;
  bool in_order = false;
  bool in_list = false;  // by IN too
};

// What the searches of models and of versions do not share.
struct Subject {
  std::span<const Column> columns;
  std::string_view tag_exists;     // up to the condition on the tag's value
  std::string_view prompt_exists;  // whether it is a prompt
  std::span<const std::string_view> standard_order;
  std::span<const std::string_view> tie_break;
};

constexpr std::array<Column, 4> kModelColumnList = {{
    {"name", "m.name", false, true, true, true},
    {"creation_timestamp", "m.created_at", true, false, true, false},
    {"last_updated_timestamp", "m.updated_at", true, false, true, false},
    {"timestamp", "m.updated_at", true, false, true, false},
}};
constexpr std::array<Column, 6> kVersionColumnList = {{
    {"name", "m.name", false, true, true, true},
    {"version_number", "v.version", true, true, true, false},
    {"run_id", "v.run", false, true, false, true},
    {"source_path", "v.source", false, true, false, false},
    {"creation_timestamp", "v.created_at", true, false, true, false},
    {"last_updated_timestamp", "v.updated_at", true, false, true, false},
}};

constexpr std::string_view kModelTagExists =
    "EXISTS (SELECT 1 FROM model_tag t WHERE t.workspace = m.workspace AND t.model_id = m.id";
constexpr std::string_view kVersionTagExists =
    "EXISTS (SELECT 1 FROM version_tag t WHERE t.workspace = v.workspace "
    "AND t.model_id = v.model_id AND t.version = v.version";

constexpr std::array<std::string_view, 1> kModelOrder = {"name ASC"};
constexpr std::array<std::string_view, 1> kVersionOrder = {"last_updated_timestamp DESC"};
constexpr std::array<std::string_view, 2> kVersionTieBreak = {"name ASC", "version_number DESC"};

constexpr Subject kModels{
    kModelColumnList, kModelTagExists, kModelTagExists, kModelOrder, kModelOrder
};
constexpr Subject kVersions{
    kVersionColumnList, kVersionTagExists, kModelTagExists, kVersionOrder, kVersionTieBreak
};

const Column* find_column(const Subject& subject, std::string_view name) {
  const auto found =
      std::find_if(subject.columns.begin(), subject.columns.end(), [name](const Column& column) {
        return column.name == name;
      });
  return found == subject.columns.end() ? nullptr : &*found;
}

std::string names_text(const Subject& subject, bool Column::* use) {
  std::string out;
  for (const Column& column : subject.columns) {
    if (!(column.*use)) continue;
    out.append(out.empty() ? "'" : ", '").append(column.name).append("'");
  }
  return out;
}

bool is_attribute(std::string_view entity) {
  return entity.empty() || entity == "attribute" || entity == "attributes";
}
bool is_tag(std::string_view entity) { return entity == "tag" || entity == "tags"; }

Status bad_comparator(const Comparison& comparison) {
  const std::string kind = is_tag(comparison.entity) ? "tag" : "attribute";
  return invalid_argument(
      "Invalid comparator for " + kind + " '" + comparison.key +
      "': " + std::string(store::comparator_text(comparison.comparator)) + " with this value"
  );
}

// A statement that grows.
struct Statement {
  std::string sql;
  std::vector<Value> parameters;
};

Status add_tag_condition(
    const Subject& subject, const Comparison& comparison, Statement& statement
) {
  if (!store::is_text_comparison(comparison) || comparison.kind == Comparison::Kind::kList) {
    return bad_comparator(comparison);
  }
  statement.sql.append(" AND ").append(subject.tag_exists).append(" AND t.name = ");
  statement.sql.append(store::add_parameter(statement.parameters, comparison.key)).append(" AND ");
  store::append_condition(statement.sql, statement.parameters, "t.value", comparison);
  statement.sql.append(")");
  return {};
}

Status add_attribute_condition(
    const Subject& subject, const Comparison& comparison, Statement& statement
) {
  const Column* column = find_column(subject, comparison.key);
  if (column == nullptr || !column->in_filter) {
    return invalid_argument(
        "Invalid attribute key '" + comparison.key + "' specified. Valid keys are " +
        names_text(subject, &Column::in_filter)
    );
  }
  const bool list = comparison.kind == Comparison::Kind::kList;
  const bool fits = column->is_number
                        ? is_number_comparison(comparison)
                        : is_text_comparison(comparison) && (!list || column->in_list);
  if (!fits) return bad_comparator(comparison);
  statement.sql.append(" AND ");
  store::append_condition(statement.sql, statement.parameters, column->expression, comparison);
  return {};
}

// Whether a comparison of the prompts' tag asks for prompts.
bool asks_for_prompts(const Comparison& comparison) {
  const bool yes = comparison.text == "true" || comparison.text == "True";
  const bool no = comparison.text == "false" || comparison.text == "False";
  return (comparison.comparator == store::Comparator::kEqual && yes) ||
         (comparison.comparator == store::Comparator::kNotEqual && no);
}

Status add_filter(const Subject& subject, const std::string& filter, Statement& statement) {
  CORTEX_ASSIGN_OR_RETURN(const auto comparisons, store::parse_filter(filter));
  bool prompts = false;
  for (const Comparison& comparison : comparisons) {
    if (is_tag(comparison.entity) && comparison.key == kPromptTag) {
      prompts = asks_for_prompts(comparison);
    } else if (is_tag(comparison.entity)) {
      CORTEX_RETURN_IF_ERROR(add_tag_condition(subject, comparison, statement));
    } else if (is_attribute(comparison.entity)) {
      CORTEX_RETURN_IF_ERROR(add_attribute_condition(subject, comparison, statement));
    } else {
      return invalid_argument(
          "Invalid entity type '" + comparison.entity +
          "'. Valid entity types are 'attribute', 'tag', 'tags'"
      );
    }
  }
  statement.sql.append(prompts ? " AND " : " AND NOT ").append(subject.prompt_exists);
  statement.sql.append(" AND t.name = '").append(kPromptTag);
  statement.sql.append("' AND lower(t.value) = 'true')");
  return {};
}

struct Sorting {
  std::vector<store::SortKey> keys;
  std::vector<const Column*> columns;  // of the keys
};

Status add_ordering(const Subject& subject, std::string_view clause, Sorting& sorting) {
  CORTEX_ASSIGN_OR_RETURN(const store::Ordering ordering, store::parse_ordering(clause));
  const Column* column = find_column(subject, ordering.key);
  if (column == nullptr || !column->in_order || !is_attribute(ordering.entity)) {
    return invalid_argument(
        "Invalid order by key '" + ordering.key + "' specified. Valid keys are " +
        names_text(subject, &Column::in_order)
    );
  }
  for (const store::SortKey& key : sorting.keys) {
    if (key.expression != column->expression) continue;
    return invalid_argument("`order_by` contains duplicate fields: '" + ordering.key + "'");
  }
  sorting.keys.push_back({std::string(column->expression), ordering.ascending});
  sorting.columns.push_back(column);
  return {};
}

// What was asked for, and behind it what tells every two rows apart.
Result<Sorting> make_sorting(const Subject& subject, const std::vector<std::string>& order_by) {
  Sorting sorting;
  for (const std::string& clause : order_by) {
    CORTEX_RETURN_IF_ERROR(add_ordering(subject, clause, sorting));
  }
  if (sorting.keys.empty()) {
    for (const std::string_view clause : subject.standard_order) {
      CORTEX_RETURN_IF_ERROR(add_ordering(subject, clause, sorting));
    }
  }
  for (const std::string_view clause : subject.tie_break) {
    const Column* column = find_column(subject, clause.substr(0, clause.find(' ')));
    const bool there =
        std::find(sorting.columns.begin(), sorting.columns.end(), column) != sorting.columns.end();
    if (!there) CORTEX_RETURN_IF_ERROR(add_ordering(subject, clause, sorting));
  }
  return sorting;
}

std::string fingerprint_of(const CatalogQuery& query) {
  std::string out = query.filter;
  for (const std::string& clause : query.order_by) out.append("\n").append(clause);
  if (!query.model.empty()) out.append("\n\n").append(query.model);
  return out;
}

Status continue_behind(const CatalogQuery& query, const Sorting& sorting, Statement& statement) {
  if (query.page_token.empty()) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const std::vector<Value> last, store::read_page_token(fingerprint_of(query), query.page_token)
  );
  bool fits = last.size() == sorting.columns.size();
  for (std::size_t i = 0; fits && i < last.size(); ++i) {
    fits = sorting.columns[i]->is_number ? std::holds_alternative<std::int64_t>(last[i])
                                         : std::holds_alternative<std::string>(last[i]);
  }
  if (!fits) return invalid_argument("Invalid page token");
  statement.sql.append(" AND ");
  store::append_behind(statement.sql, statement.parameters, sorting.keys, last);
  return {};
}

// Completes "SELECT … WHERE …" to the rows of one page, and one more where there is another page.
Result<store::Rows> find_page(
    store::Transaction& transaction,
    const Subject& subject,
    const CatalogQuery& query,
    const Sorting& sorting,
    Statement statement
) {
  if (!query.model.empty()) {
    statement.sql.append(" AND m.name = ");
    statement.sql.append(store::add_parameter(statement.parameters, query.model));
  }
  CORTEX_RETURN_IF_ERROR(add_filter(subject, query.filter, statement));
  CORTEX_RETURN_IF_ERROR(continue_behind(query, sorting, statement));
  statement.sql.append(" ORDER BY ");
  store::append_order(statement.sql, sorting.keys);
  statement.sql.append(" LIMIT ").append(std::to_string(query.limit + 1));
  return transaction.query(statement.sql, statement.parameters);
}

Value sort_value(const ModelVersion& version, std::string_view column) {
  if (column == "name") return version.id.model;
  if (column == "version_number") return version.id.version;
  return column == "creation_timestamp" ? version.created_at : version.updated_at;
}

Value sort_value(const RegisteredModel& model, std::string_view column) {
  if (column == "name") return model.name;
  return column == "creation_timestamp" ? model.created_at : model.updated_at;
}

// Cuts the row that only tells of another page, and says where that one begins.
template <typename Row, typename Item>
std::string end_page(
    std::vector<Row>& rows, Item Row::* item, const CatalogQuery& query, const Sorting& sorting
) {
  if (rows.size() <= query.limit) return {};
  rows.resize(query.limit);
  std::vector<Value> last;
  for (const Column* column : sorting.columns) {
    last.push_back(sort_value(rows.back().*item, column->name));
  }
  return store::make_page_token(fingerprint_of(query), last);
}

Status check_limit(const CatalogQuery& query) {
  if (query.limit > 0) return {};
  return invalid_argument("Invalid value for max_results. It must be a positive integer");
}

}  // namespace

Result<CatalogPage<RegisteredModel>> search_models(
    store::Transaction& transaction, const std::string& workspace, const CatalogQuery& query
) {
  CORTEX_RETURN_IF_ERROR(check_limit(query));
  CORTEX_ASSIGN_OR_RETURN(const Sorting sorting, make_sorting(kModels, query.order_by));
  Statement statement;
  statement.sql = "SELECT " + std::string(kModelColumns) +
                  " FROM registered_model m WHERE m.workspace = $1 AND m.deleted_at IS NULL";
  statement.parameters = {workspace};
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows, find_page(transaction, kModels, query, sorting, std::move(statement))
  );
  std::vector<ModelRow> models;
  for (std::size_t i = 0; i < rows.size(); ++i) models.push_back(read_model_row(rows, i));
  CatalogPage<RegisteredModel> page;
  page.next_page_token = end_page(models, &ModelRow::model, query, sorting);
  CORTEX_RETURN_IF_ERROR(complete_models(transaction, workspace, models));
  for (ModelRow& row : models) page.items.push_back(std::move(row.model));
  return page;
}

Result<CatalogPage<ModelVersion>> search_versions(
    store::Transaction& transaction, const std::string& workspace, const CatalogQuery& query
) {
  CORTEX_RETURN_IF_ERROR(check_limit(query));
  CORTEX_ASSIGN_OR_RETURN(const Sorting sorting, make_sorting(kVersions, query.order_by));
  Statement statement{select_versions(), {workspace}};
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      find_page(transaction, kVersions, query, sorting, std::move(statement))
  );
  std::vector<VersionRow> versions = read_version_rows(rows);
  CatalogPage<ModelVersion> page;
  page.next_page_token = end_page(versions, &VersionRow::version, query, sorting);
  CORTEX_RETURN_IF_ERROR(complete_versions(transaction, workspace, versions));
  page.items = take_versions(std::move(versions));
  return page;
}

}  // namespace cortex::registry
