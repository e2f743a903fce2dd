// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "frontend/http/authenticator.h"
#include "router/key_ring.h"

namespace cortex::app {

// The key ring as the HTTP server asks for it. Thread-safe.
class KeyAuthenticator final : public frontend::Authenticator {
 public:
  explicit KeyAuthenticator(router::KeyRing ring) : ring_(std::move(ring)) {}

  [[nodiscard]] Result<Principal> authenticate(
      std::string_view authorization_header, std::string_view x_api_key
  ) const override {
    return ring_.authenticate(authorization_header, x_api_key);
  }

 private:
  const router::KeyRing ring_;
};

}  // namespace cortex::app
