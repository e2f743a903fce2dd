// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/detail/request_fields.h"

#include <algorithm>

namespace cortex::frontend {

Status field_error(std::string_view name, std::string_view what) {
  return invalid_argument("'" + std::string(name) + "' must be " + std::string(what))
      .with_field(std::string(name));
}

Status missing_field(std::string_view name) {
  return invalid_argument("missing required parameter: '" + std::string(name) + "'")
      .with_field(std::string(name));
}

Status unsupported_field(std::string_view name, std::string_view why) {
  return invalid_argument("'" + std::string(name) + "' is not supported: " + std::string(why))
      .with_field(std::string(name))
      .with_reason("unsupported_parameter");
}

Status unknown_field(std::string_view name) {
  return invalid_argument("Unknown parameter: '" + std::string(name) + "'.")
      .with_field(std::string(name))
      .with_reason("unknown_parameter");
}

Status with_field_name(Status status, std::string_view name) {
  if (status.ok() || !status.field().empty()) return status;
  return status.with_field(std::string(name));
}

std::string element_name(std::string_view list, std::size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

Status read_between(
    simdjson::ondemand::value value,
    std::string_view name,
    std::pair<std::int64_t, std::int64_t> bounds,
    std::int64_t& out
) {
  if (!value.get_int64().get(out) && out >= bounds.first && out <= bounds.second) return {};
  return field_error(
      name,
      "a whole number from " + std::to_string(bounds.first) + " to " + std::to_string(bounds.second)
  );
}

Status read_text(simdjson::ondemand::value value, std::string_view name, std::string& out) {
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_string(value, name, text));
  out = text;
  return {};
}

bool is_tool_name(std::string_view name, std::size_t most) {
  if (name.empty() || name.size() > most) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace cortex::frontend
