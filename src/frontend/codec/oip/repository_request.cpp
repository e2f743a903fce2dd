// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/repository_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/json_value.h"
#include "frontend/codec/json_depth.h"

namespace cortex::frontend::oip {
namespace {

namespace json = boost::json;

constexpr int kRepositoryDepthMax = 32;

Result<json::object> parse_object(std::string_view body) {
  if (body.empty()) return json::object();
  const auto depth_max = static_cast<std::size_t>(std::min(kRepositoryDepthMax, json_depth_max()));
  auto value = parse_json_value(body, depth_max);
  if (!value.ok()) return value.status().with_prefix("failed to parse the request JSON buffer: ");
  if (!value->is_object()) {
    return invalid_argument("failed to parse the request JSON buffer: the request is not an object"
    );
  }
  return std::move(value->as_object());
}

Result<json::object> parse_parameters(std::string_view body) {
  CORTEX_ASSIGN_OR_RETURN(json::object object, parse_object(body));
  json::value* parameters = object.if_contains("parameters");
  if (parameters == nullptr) return json::object();
  if (!parameters->is_object()) return invalid_argument("'parameters' must be an object");
  return std::move(parameters->as_object());
}

}  // namespace

Result<bool> read_index_request(std::string_view body) {
  CORTEX_ASSIGN_OR_RETURN(const json::object object, parse_object(body));
  const json::value* ready = object.if_contains("ready");
  if (ready == nullptr) return false;
  if (!ready->is_bool()) return invalid_argument("'ready' must be true or false");
  return ready->as_bool();
}

Result<registry::LoadOverride> read_load_request(std::string_view body) {
  CORTEX_ASSIGN_OR_RETURN(const json::object parameters, parse_parameters(body));
  registry::LoadOverride out;
  for (const auto& parameter : parameters) {
    const std::string key(parameter.key());
    if (key.substr(0, 5) == "file:") {
      return invalid_argument(
          "parameter '" + key +
          "': files in a load request are not supported; put them into the repository"
      );
    }
    if (key != "config") {
      return invalid_argument("unrecognized load parameter '" + key + "'");
    }
    if (!parameter.value().is_string()) {
      return invalid_argument("parameter 'config' must be a string that holds JSON");
    }
    out.config_json = std::string(parameter.value().as_string());
  }
  return out;
}

Status check_unload_request(std::string_view body) {
  CORTEX_ASSIGN_OR_RETURN(const json::object parameters, parse_parameters(body));
  const json::value* dependents = parameters.if_contains("unload_dependents");
  if (dependents == nullptr || dependents->is_bool()) return {};
  return invalid_argument("parameter 'unload_dependents' must be true or false");
}

}  // namespace cortex::frontend::oip
