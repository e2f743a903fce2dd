// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"
#include "request/principal.h"

namespace cortex::frontend {

// Turns the credentials of a request into who asks.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // Both values are as the client sent them and empty when absent. Without configured keys
  // everybody is the default principal. Fails with kUnauthenticated. Called on io threads before
  // the body is read: must not block. Thread-safe.
  [[nodiscard]] virtual Result<Principal> authenticate(
      std::string_view authorization_header, std::string_view x_api_key
  ) const = 0;
};

}  // namespace cortex::frontend
