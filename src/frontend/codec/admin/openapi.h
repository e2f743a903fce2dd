// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/http/exchange.h"

namespace cortex::frontend::admin {

// The OpenAPI 3.1 description of everything that is mounted: each route with its parameters, its
// scope, its request and its answers. Pure. REQUIRES: every schema that a route names is in
// schemas.h or comes with an Api.
[[nodiscard]] std::string openapi_document(
    const std::vector<Api>& apis, std::string_view server_version
);

}  // namespace cortex::frontend::admin
