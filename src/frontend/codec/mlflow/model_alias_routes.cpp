// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "frontend/codec/mlflow/registry_reply.h"
#include "frontend/codec/mlflow/registry_request.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "registry/catalog/alias.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

Plan change_alias(const Call& call, registry::AliasChange change) {
  return Plan::write([change = std::move(change),
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::set_aliases(transaction, author, std::span(&change, 1)).status();
  });
}

Result<Plan> set_alias(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(registry::VersionId id, read_version_id(call.fields));
  // 0 would take the alias away.
  if (id.version < 1) return invalid_argument("A version is a positive number.");
  registry::AliasChange change;
  change.model = std::move(id.model);
  change.alias = call.fields.required_text("alias");
  change.version = id.version;
  return change_alias(call, std::move(change));
}

Result<Plan> remove_alias(const Context&, const Call& call) {
  registry::AliasChange change;
  change.model = call.fields.required_text("name");
  change.alias = call.fields.required_text("alias");
  return change_alias(call, std::move(change));
}

// Clients expect another error for an alias than for a model.
Status alias_not_found(const std::string& model, std::string alias) {
  for (char& c : alias) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (alias == "latest") return not_found("Latest version not found for model " + model + ".");
  return invalid_argument("Registered model alias " + alias + " not found.");
}

Result<Plan> get_alias(const Context&, const Call& call) {
  return Plan::read(
      [name = call.fields.required_text("name"),
       alias = call.fields.required_text("alias"),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto number, registry::resolve_alias(transaction, workspace, name, alias)
        );
        if (!number) return alias_not_found(name, alias);
        CORTEX_ASSIGN_OR_RETURN(
            const registry::ModelVersion version,
            registry::find_version(transaction, workspace, {name, *number})
        );
        reply_model_version(body, version);
        return {};
      }
  );
}

}  // namespace

std::vector<MlflowRoute> model_alias_routes() {
  constexpr std::string_view kPattern = "/registered-models/alias";
  return {
      json_route(Method::kPost, kPattern, Scope::kAdmin, "Point an alias to a version", set_alias),
      json_route(Method::kGet, kPattern, Scope::kRead, "The version behind an alias", get_alias),
      json_route(Method::kDelete, kPattern, Scope::kAdmin, "Delete an alias", remove_alias),
  };
}

}  // namespace cortex::frontend::mlflow
