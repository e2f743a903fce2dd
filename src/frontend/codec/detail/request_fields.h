// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/codec/detail/hot_json.h"

namespace cortex::frontend {

// Errors that name the field of a request that is at fault, and reads that end in them. `name` is
// the field's place in the request ("messages[2].content").

// "'name' must be WHAT".
[[nodiscard]] Status field_error(std::string_view name, std::string_view what);
// "missing required parameter: 'name'".
[[nodiscard]] Status missing_field(std::string_view name);
// "'name' is not supported: WHY", with the reason "unsupported_parameter".
[[nodiscard]] Status unsupported_field(std::string_view name, std::string_view why);
// "Unknown parameter: 'name'.", with the reason "unknown_parameter".
[[nodiscard]] Status unknown_field(std::string_view name);
// The error with `name`, if it does not name something inside it.
[[nodiscard]] Status with_field_name(Status status, std::string_view name);

// "list[3]".
[[nodiscard]] std::string element_name(std::string_view list, std::size_t index);

// Reads a whole number between the bounds.
[[nodiscard]] Status read_between(
    simdjson::ondemand::value value,
    std::string_view name,
    std::pair<std::int64_t, std::int64_t> bounds,
    std::int64_t& out
);
// Reads a copy of a string.
[[nodiscard]] Status read_text(
    simdjson::ondemand::value value, std::string_view name, std::string& out
);

// Whether a tool may be called that: 1 to `most` letters, digits, '_', '-' and '.'. Names go into
// grammars and into the text of models.
[[nodiscard]] bool is_tool_name(std::string_view name, std::size_t most);

// Calls `read(key, value)` for each field of an object that is not null.
template <typename Read>
[[nodiscard]] Status for_each_given(
    simdjson::ondemand::value value, std::string_view name, Read&& read
) {
  simdjson::ondemand::object object;
  if (value.get_object().get(object)) return field_error(name, "an object");
  return for_each_field(object, [&](std::string_view key, simdjson::ondemand::value field) {
    bool null = false;
    if (const auto error = field.is_null().get(null)) return malformed_json(error);
    return null ? Status() : Status(read(key, field));
  });
}

}  // namespace cortex::frontend
