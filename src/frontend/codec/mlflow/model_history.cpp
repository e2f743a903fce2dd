// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/model_history.h"

#include <boost/json.hpp>

#include "base/json_value.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;

Status check_fields(const json::object& model) {
  std::string missing;
  for (const char* name : {"artifact_path", "flavors", "run_id", "utc_time_created"}) {
    if (model.contains(name)) continue;
    missing.append(missing.empty() ? "'" : ", '").append(name).append("'");
  }
  if (missing.empty()) return {};
  return invalid_argument("Model json is missing mandatory fields: {" + missing + "}");
}

json::object without_settings(const json::value& flavors) {
  json::object out;
  if (!flavors.is_object()) return out;
  for (const auto& [name, flavor] : flavors.get_object()) {
    json::value kept = flavor;
    if (kept.is_object()) kept.get_object().erase("config");
    out.emplace(name, std::move(kept));
  }
  return out;
}

}  // namespace

Result<std::string> model_history_entry(std::string_view model_json) {
  const auto parsed = parse_json_value(model_json);
  if (!parsed.ok() || !parsed->is_object()) {
    return invalid_argument(
        "Malformed model info. \n " + std::string(model_json.substr(0, 1000)) +
        " \n is not a valid JSON."
    );
  }
  const json::object& model = parsed->get_object();
  CORTEX_RETURN_IF_ERROR(check_fields(model));
  json::object entry;
  for (const char* name : {"run_id", "artifact_path", "utc_time_created", "model_uuid"}) {
    if (const json::value* value = model.if_contains(name)) entry.emplace(name, *value);
  }
  entry.emplace("flavors", without_settings(model.at("flavors")));
  return json::serialize(entry);
}

}  // namespace cortex::frontend::mlflow
