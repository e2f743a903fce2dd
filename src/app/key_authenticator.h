// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "frontend/http/authenticator.h"
#include "router/key_ring.h"
#include "router/workspaces.h"

namespace cortex::app {

// Key rings and workspaces as the HTTP server asks for them. `adapter_keys` open the calls that
// manage adapters, and nothing else: where there are some, nobody calls these without one of them
// or a key of the server that has the scope. Immutable, thread-safe.
class KeyAuthenticator final : public frontend::Authenticator {
 public:
  KeyAuthenticator(
      router::KeyRing ring, router::KeyRing adapter_keys, router::Workspaces workspaces
  )
      : ring_(std::move(ring)),
        adapter_keys_(std::move(adapter_keys)),
        workspaces_(std::move(workspaces)) {}

  [[nodiscard]] Result<Principal> authenticate(const frontend::Credentials& credentials
  ) const override;

 private:
  [[nodiscard]] Result<Principal> who(const frontend::Credentials& credentials) const;

  const router::KeyRing ring_;
  const router::KeyRing adapter_keys_;
  const router::Workspaces workspaces_;
};

}  // namespace cortex::app
