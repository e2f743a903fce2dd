// SPDX-License-Identifier: Apache-2.0
#include "app/key_authenticator.h"

#include <string_view>

namespace cortex::app {
namespace {

constexpr ScopeSet kAdapterScopes =
    static_cast<ScopeSet>(Scope::kRead) | static_cast<ScopeSet>(Scope::kAdmin);

// vLLM's calls register and load as ours do: a lock on one door alone would be none.
bool manages_adapters(std::string_view api) { return api == "lora" || api == "vllm"; }

}  // namespace

Result<Principal> KeyAuthenticator::who(const frontend::Credentials& credentials) const {
  if (adapter_keys_.open() || !manages_adapters(credentials.api)) {
    return ring_.authenticate(credentials.authorization, credentials.x_api_key);
  }
  // A proxy may have put an Authorization of its own beside it.
  auto found = adapter_keys_.authenticate({}, credentials.x_api_key);
  if (!found.ok()) found = adapter_keys_.authenticate(credentials.authorization, {});
  if (!found.ok()) {
    if (ring_.open()) return found;
    return ring_.authenticate(credentials.authorization, credentials.x_api_key);
  }
  found->key.insert(0, "lora-");
  found->scopes = kAdapterScopes;
  return found;
}

Result<Principal> KeyAuthenticator::authenticate(const frontend::Credentials& credentials) const {
  CORTEX_ASSIGN_OR_RETURN(Principal principal, who(credentials));
  // Where there is one workspace, a key that is bound to it is bound to nothing.
  if (workspaces_.names().size() == 1) principal.every_workspace = true;
  CORTEX_ASSIGN_OR_RETURN(
      principal.workspace, workspaces_.choose(principal.workspace, credentials.workspace)
  );
  return principal;
}

}  // namespace cortex::app
