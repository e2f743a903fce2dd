// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "frontend/codec/mlflow/mlflow_route.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::mlflow {

// What a route takes and gives, as Route has it for /openapi.json. All text is static.
struct RouteWords {
  std::string_view request_schema;
  std::string_view response_schema;
  std::span<const RouteParameter> parameters;
};

// Every route of the codec is in the table of schemas.cpp; one that is not is our bug.
[[nodiscard]] RouteWords words_of(const MlflowRoute& route);

// Every message that a route takes or gives, and "MlflowError".
[[nodiscard]] std::span<const Schema> mlflow_schemas();

}  // namespace cortex::frontend::mlflow
