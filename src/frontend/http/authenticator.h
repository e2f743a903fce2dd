// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"
#include "request/principal.h"

namespace cortex::frontend {

// What a request says of who asks: headers as the client sent them, empty when absent.
struct Credentials {
  std::string_view authorization;
  std::string_view x_api_key;
  std::string_view workspace;  // x-mlflow-workspace: one name for every API
  std::string_view api;        // of the route that is asked for
};

// Turns the credentials of a request into who asks.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // Without configured keys everybody is the default principal. kUnauthenticated for no key or a
  // wrong one, kPermissionDenied and kInvalidArgument for a workspace that is not the key's or is
  // none. Called on io threads before the body is read: must not block. Thread-safe.
  [[nodiscard]] virtual Result<Principal> authenticate(const Credentials& credentials) const = 0;
};

}  // namespace cortex::frontend
