// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/registered_model.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "registry/catalog/audit_log.h"
#include "registry/catalog/canonical_json.h"
#include "registry/catalog/detail/alias_rows.h"
#include "registry/catalog/detail/model_rows.h"
#include "registry/catalog/detail/names.h"

namespace cortex::registry {
namespace {

Status name_taken(const std::string& name) {
  return already_exists("Registered Model (name=" + name + ") already exists.");
}

Status check_name_is_free(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
) {
  const auto found = find_model_id(transaction, workspace, name);
  if (found.ok()) return name_taken(name);
  return found.status().code() == Code::kNotFound ? Status() : found.status();
}

Result<std::int64_t> insert_model(
    store::Transaction& transaction,
    const Authorship& author,
    const NewModel& model,
    std::int64_t revision
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "INSERT INTO registered_model (workspace, name, author, description, created_at, "
          "updated_at, revision, greatest_version) "
          "VALUES ($1, $2, $3, $4, $5, $5, $6, 0) RETURNING id",
          {author.workspace, model.name, author.user, model.description, author.at, revision}
      )
  );
  return rows.integer(0, 0);
}

Status put_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t model_id,
    const std::string& key,
    const std::string& value
) {
  return transaction
      .execute(
          "INSERT INTO model_tag (workspace, model_id, name, value) VALUES ($1, $2, $3, $4) "
          "ON CONFLICT (workspace, model_id, name) DO UPDATE SET value = excluded.value",
          {workspace, model_id, key, value}
      )
      .status();
}

// Leaves the versions as tombstones: baselines of other models may lead through them.
Status clear_model(
    store::Transaction& transaction, const Authorship& author, std::int64_t model_id
) {
  constexpr std::array<std::string_view, 4> kStatements = {
      "UPDATE model_version SET deleted = 1, stage = 0, author = '', description = '', "
      "source = '', location = '', run = '', run_link = '', logged_model = '', "
      "status_message = '', deprecated_by = '', deprecation_reason = '' "
      "WHERE workspace = $1 AND model_id = $2",
      "DELETE FROM version_tag WHERE workspace = $1 AND model_id = $2",
      "DELETE FROM version_dataset WHERE workspace = $1 AND model_id = $2",
      "DELETE FROM model_tag WHERE workspace = $1 AND model_id = $2",
  };
  for (const std::string_view statement : kStatements) {
    CORTEX_RETURN_IF_ERROR(transaction.execute(statement, {author.workspace, model_id}).status());
  }
  return transaction
      .execute(
          "UPDATE registered_model SET deleted_at = $2, description = '' WHERE id = $1",
          {model_id, author.at}
      )
      .status();
}

}  // namespace

std::string change_key(const std::string& workspace, const std::string& model) {
  return workspace == "default" ? model : workspace + "/" + model;
}

std::string tags_text(const Tags& tags) {
  std::vector<const Tags::value_type*> sorted;
  for (const auto& tag : tags) sorted.push_back(&tag);
  std::sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    return canonical_less(left->first, right->first);
  });
  std::string out = "{";
  for (const auto* tag : sorted) {
    if (out.size() > 1) out.push_back(',');
    append_canonical_string(out, tag->first);
    out.push_back(':');
    append_canonical_string(out, tag->second);
  }
  return out + "}";
}

Result<RegisteredModel> create_model(
    store::Transaction& transaction, const Authorship& author, const NewModel& model
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(model.name));
  CORTEX_RETURN_IF_ERROR(check_description(model.description));
  CORTEX_RETURN_IF_ERROR(check_tags(model.tags));
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t revision,
      transaction.note_change("model", change_key(author.workspace, model.name))
  );
  CORTEX_RETURN_IF_ERROR(check_name_is_free(transaction, author.workspace, model.name));
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t id, insert_model(transaction, author, model, revision)
  );
  for (const auto& [key, value] : model.tags) {
    CORTEX_RETURN_IF_ERROR(put_tag(transaction, author.workspace, id, key, value));
  }
  CORTEX_RETURN_IF_ERROR(append_audit(
      transaction,
      author,
      {"model.created",
       model.name,
       {{"identity", id}, {"description", model.description}, {"tags", tags_text(model.tags)}}}
  ));
  return find_model(transaction, author.workspace, model.name);
}

Result<RegisteredModel> find_model(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kModelColumns) +
              " FROM registered_model m "
              "WHERE m.workspace = $1 AND m.name = $2 AND m.deleted_at IS NULL",
          {workspace, name}
      )
  );
  if (rows.empty()) return model_not_found(name);
  ModelRow row = read_model_row(rows, 0);
  CORTEX_RETURN_IF_ERROR(complete_models(transaction, workspace, std::span(&row, 1)));
  return std::move(row.model);
}

Result<RegisteredModel> describe_model(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& description
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_RETURN_IF_ERROR(check_description(description));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, name));
  CORTEX_RETURN_IF_ERROR(transaction
                             .execute(
                                 "UPDATE registered_model SET description = $2, updated_at = $3 "
                                 "WHERE id = $1",
                                 {held.id, description, author.at}
                             )
                             .status());
  CORTEX_RETURN_IF_ERROR(
      append_audit(transaction, author, {"model.described", name, {{"description", description}}})
  );
  return find_model(transaction, author.workspace, name);
}

Result<RegisteredModel> rename_model(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& new_name
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_RETURN_IF_ERROR(check_model_name(new_name));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, name));
  CORTEX_RETURN_IF_ERROR(check_name_is_free(transaction, author.workspace, new_name));
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t revision,
      transaction.note_change("model", change_key(author.workspace, new_name))
  );
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "UPDATE registered_model SET name = $2, updated_at = $3, revision = $4 "
              "WHERE id = $1",
              {held.id, new_name, author.at, revision}
          )
          .status()
  );
  CORTEX_RETURN_IF_ERROR(
      append_audit(transaction, author, {"model.renamed", name, {{"new_name", new_name}}})
  );
  return find_model(transaction, author.workspace, new_name);
}

Status delete_model(
    store::Transaction& transaction, const Authorship& author, const std::string& name
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, name));
  CORTEX_RETURN_IF_ERROR(drop_aliases(
      transaction, author, {held.id, name, held.revision}, AliasAction::kDeleted, std::nullopt
  ));
  CORTEX_RETURN_IF_ERROR(clear_model(transaction, author, held.id));
  return append_audit(transaction, author, {"model.deleted", name, {{"identity", held.id}}});
}

Status set_model_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& key,
    const std::string& value
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_RETURN_IF_ERROR(check_tag(key, value));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, name));
  CORTEX_RETURN_IF_ERROR(put_tag(transaction, author.workspace, held.id, key, value));
  return append_audit(
      transaction, author, {"model.tag_set", name, {{"key", key}, {"value", value}}}
  );
}

Status delete_model_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& key
) {
  CORTEX_RETURN_IF_ERROR(check_model_name(name));
  CORTEX_RETURN_IF_ERROR(check_tag(key, {}));
  CORTEX_ASSIGN_OR_RETURN(const HeldModel held, hold_model(transaction, author, name));
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "DELETE FROM model_tag WHERE workspace = $1 AND model_id = $2 AND name = $3",
              {author.workspace, held.id, key}
          )
          .status()
  );
  return append_audit(transaction, author, {"model.tag_deleted", name, {{"key", key}}});
}

}  // namespace cortex::registry
