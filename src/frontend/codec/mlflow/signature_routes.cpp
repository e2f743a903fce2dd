// SPDX-License-Identifier: Apache-2.0
// Not of MLflow's: what aliases ask of signatures.
#include <string>
#include <utility>

#include "frontend/codec/mlflow/registry_request.h"
#include "frontend/codec/mlflow/registry_routes.h"
#include "registry/signing/signature_policy.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;

Result<Plan> set_signature_policy(const Context&, const Call& call) {
  const std::string text = call.fields.required_text("policy");
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_ASSIGN_OR_RETURN(const registry::SignaturePolicy policy, registry::parse_policy(text));
  return Plan::write([name = call.fields.required_text("name"),
                      alias = call.fields.required_text("alias"),
                      policy,
                      author = read_author(call)](Transaction& transaction, std::string&) {
    return registry::set_signature_policy(transaction, author, name, alias, policy);
  });
}

void write_policy(
    JsonWriter& writer, const std::string& alias, const registry::AliasPolicy& policy
) {
  writer.open_object();
  writer.text("alias", alias);
  writer.text("policy", registry::policy_name(policy.policy));
  if (policy.allowed != 0) writer.text("verified_version", std::to_string(policy.allowed));
  if (policy.refused != 0) {
    writer.text("refused_version", std::to_string(policy.refused));
    writer.text("reason", policy.reason);
  }
  writer.close_object();
}

Result<Plan> get_signature_policy(const Context&, const Call& call) {
  return Plan::read(
      [name = call.fields.required_text("name"),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto policies, registry::signature_policies(transaction, workspace, name)
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("policies");
        for (const auto& [alias, policy] : policies) write_policy(writer, alias, policy);
        writer.close_list();
        writer.close_object();
        return {};
      }
  );
}

}  // namespace

std::vector<MlflowRoute> signature_routes() {
  constexpr std::string_view kPattern = "/registered-models/signature-policy";
  return {
      json_route(
          Method::kPost,
          kPattern,
          Scope::kAdmin,
          "What an alias asks of signatures",
          set_signature_policy
      ),
      json_route(
          Method::kGet,
          kPattern,
          Scope::kRead,
          "Signature policies of a model",
          get_signature_policy
      ),
  };
}

}  // namespace cortex::frontend::mlflow
