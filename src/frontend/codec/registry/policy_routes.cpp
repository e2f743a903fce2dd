// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"
#include "registry/signing/signature_policy.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using registry::AliasPolicy;
using registry::SignaturePolicy;
using store::Transaction;

json::object policy_document(const std::string& alias, const AliasPolicy& policy) {
  json::object out{{"alias", alias}, {"policy", registry::policy_name(policy.policy)}};
  if (policy.allowed != 0) out.emplace("verified_version", policy.allowed);
  if (policy.refused != 0) {
    out.emplace("refused_version", policy.refused);
    out.emplace("refused_because", policy.reason);
  }
  return out;
}

Result<Plan> list_policies(const Call& call) {
  return Plan::read(
      [model = call.path_value(0),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto policies, registry::signature_policies(transaction, workspace, model)
        );
        json::array out;
        for (const auto& [alias, policy] : policies) out.push_back(policy_document(alias, policy));
        say(answer, {{"policies", std::move(out)}});
        return {};
      }
  );
}

SignaturePolicy read_policy(const Fields& fields) {
  const auto policy = registry::parse_policy(fields.required_text("policy"));
  if (policy.ok()) return *policy;
  fields.refuse("policy", "must be off, warn or require");
  return SignaturePolicy::kOff;
}

Result<Plan> put_policy(const Call& call) {
  const SignaturePolicy policy = read_policy(call.fields);
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  return Plan::write(
      [model = call.path_value(0), alias = call.path_value(1), policy, author = call.author](
          Transaction& transaction, Answer& answer
      ) -> Status {
        CORTEX_RETURN_IF_ERROR(
            registry::set_signature_policy(transaction, author, model, alias, policy)
        );
        CORTEX_ASSIGN_OR_RETURN(
            const auto policies, registry::signature_policies(transaction, author.workspace, model)
        );
        const auto found = policies.find(alias);
        say(answer,
            policy_document(alias, found == policies.end() ? AliasPolicy{} : found->second));
        return {};
      }
  );
}

}  // namespace

std::vector<RegistryRoute> policy_routes() {
  return {
      {Method::kGet,
       "/registry/models/{model}/signature-policies",
       "What the aliases of a model ask of signatures, and what came of it",
       "",
       "RegistrySignaturePolicies",
       200,
       {},
       list_policies},
      {Method::kPut,
       "/registry/models/{model}/aliases/{alias}/signature-policy",
       "What an alias asks of signatures",
       "RegistrySignaturePolicyName",
       "RegistrySignaturePolicy",
       200,
       reason_parameters(),
       put_policy},
  };
}

}  // namespace cortex::frontend::registry_api
