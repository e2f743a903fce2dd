// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/model_rows.h"

#include <unordered_map>

#include "registry/catalog/detail/key_list.h"

namespace cortex::registry {

ModelRow read_model_row(const store::Rows& rows, std::size_t row) {
  ModelRow out;
  out.id = rows.integer(row, 0);
  out.model.identity = out.id;
  out.model.name = rows.text(row, 1);
  out.model.user = rows.text(row, 2);
  out.model.description = rows.text(row, 3);
  out.model.created_at = rows.integer(row, 4);
  out.model.updated_at = rows.integer(row, 5);
  out.model.revision = rows.integer(row, 6);
  return out;
}

Status complete_models(
    store::Transaction& transaction, const std::string& workspace, std::span<ModelRow> models
) {
  std::vector<std::int64_t> ids;
  std::unordered_map<std::int64_t, RegisteredModel*> by_id;
  for (ModelRow& row : models) {
    ids.push_back(row.id);
    by_id[row.id] = &row.model;
  }
  CORTEX_RETURN_IF_ERROR(query_keys(
      transaction,
      "SELECT model_id, name, value FROM model_tag WHERE workspace = $1 AND model_id IN ({keys})",
      workspace,
      1,
      ids,
      [&by_id](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          by_id.at(rows.integer(i, 0))->tags[rows.text(i, 1)] = rows.text(i, 2);
        }
      }
  ));
  return query_keys(
      transaction,
      "SELECT model_id, alias, version FROM model_alias "
      "WHERE workspace = $1 AND model_id IN ({keys}) AND version > 0",
      workspace,
      1,
      ids,
      [&by_id](const store::Rows& rows) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          by_id.at(rows.integer(i, 0))->aliases[rows.text(i, 1)] = rows.integer(i, 2);
        }
      }
  );
}

Status model_not_found(const std::string& name) {
  return not_found("Registered Model with name=" + name + " not found");
}

Result<std::int64_t> find_model_id(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT id FROM registered_model "
          "WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL",
          {workspace, name}
      )
  );
  if (rows.empty()) return model_not_found(name);
  return rows.integer(0, 0);
}

Result<HeldModel> hold_model(
    store::Transaction& transaction, const Authorship& author, const std::string& name
) {
  HeldModel held;
  CORTEX_ASSIGN_OR_RETURN(
      held.revision, transaction.note_change("model", change_key(author.workspace, name))
  );
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "UPDATE registered_model SET revision = $3 "
          "WHERE workspace = $1 AND name = $2 AND deleted_at IS NULL "
          "RETURNING id, greatest_version",
          {author.workspace, name, held.revision}
      )
  );
  if (rows.empty()) return model_not_found(name);
  held.id = rows.integer(0, 0);
  held.greatest_version = rows.integer(0, 1);
  return held;
}

Status touch_model(store::Transaction& transaction, const Authorship& author, std::int64_t id) {
  return transaction
      .execute("UPDATE registered_model SET updated_at = $2 WHERE id = $1", {id, author.at})
      .status();
}

}  // namespace cortex::registry
