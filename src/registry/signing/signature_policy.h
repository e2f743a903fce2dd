// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::registry {

// What an alias asks of the versions that it is pointed to. kRequire: it serves versions with a
// good signature alone, and stays on the last one otherwise. kWarn: it serves all, and says which
// have none.
enum class SignaturePolicy : std::uint8_t { kOff, kWarn, kRequire };

// "off", "warn", "require".
[[nodiscard]] std::string_view policy_name(SignaturePolicy policy);
// kInvalidArgument names the three.
[[nodiscard]] Result<SignaturePolicy> parse_policy(std::string_view name);

// The policy of one alias and what came of it.
struct AliasPolicy {
  SignaturePolicy policy = SignaturePolicy::kOff;
  std::int64_t allowed = 0;  // the last version whose signature was good; 0: none
  std::int64_t refused = 0;  // the version it points to, when its signature is not good; else 0
  std::string reason;        // why

  bool operator==(const AliasPolicy&) const = default;
};

// The tables of this folder.
[[nodiscard]] const store::Schema& signing_schema();

// From now on, and noted like every change of the model. The alias need not stand yet; its policy
// stays when it goes. kNotFound: no such model. kInvalidArgument: an empty or overlong alias.
[[nodiscard]] Status set_signature_policy(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& model,
    const std::string& alias,
    SignaturePolicy policy
);

// Of all aliases with a policy other than kOff: by the identity of their model, then by alias.
using PoliciesByModel = std::map<std::int64_t, std::map<std::string, AliasPolicy>>;
[[nodiscard]] Result<PoliciesByModel> signature_policies(
    store::Transaction& transaction, const std::string& workspace
);
// Of one model; kNotFound.
[[nodiscard]] Result<std::map<std::string, AliasPolicy>> signature_policies(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
);

// An alias of a model by its identity.
struct PolicyPlace {
  std::string workspace;
  std::int64_t identity = 0;
  std::string model;  // its name
  std::string alias;
};
// Keeps what came of a policy. A refusal that is not the one before it is added to the audit log,
// as "alias.refused" or "alias.warned". Nothing when the alias has no policy any more.
[[nodiscard]] Status note_policy_outcome(
    store::Transaction& transaction,
    const PolicyPlace& place,
    const AliasPolicy& outcome,
    std::int64_t at  // milliseconds since the epoch
);

}  // namespace cortex::registry
