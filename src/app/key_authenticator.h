// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "frontend/http/authenticator.h"
#include "router/key_ring.h"
#include "router/workspaces.h"

namespace cortex::app {

// Key ring and workspaces as the HTTP server asks for them. Thread-safe.
class KeyAuthenticator final : public frontend::Authenticator {
 public:
  KeyAuthenticator(router::KeyRing ring, router::Workspaces workspaces)
      : ring_(std::move(ring)), workspaces_(std::move(workspaces)) {}

  [[nodiscard]] Result<Principal> authenticate(const frontend::Credentials& credentials
  ) const override {
    CORTEX_ASSIGN_OR_RETURN(
        Principal principal, ring_.authenticate(credentials.authorization, credentials.x_api_key)
    );
    // Where there is one workspace, a key that is bound to it is bound to nothing.
    if (workspaces_.names().size() == 1) principal.every_workspace = true;
    CORTEX_ASSIGN_OR_RETURN(
        principal.workspace, workspaces_.choose(principal.workspace, credentials.workspace)
    );
    return principal;
  }

 private:
  const router::KeyRing ring_;
  const router::Workspaces workspaces_;
};

}  // namespace cortex::app
