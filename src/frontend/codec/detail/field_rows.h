// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/detail/request_fields.h"

namespace cortex::frontend {

// A field that a body may have, and who reads it into the draft of a call.
template <typename Draft>
struct FieldRow {
  std::string_view name;  // static text
  Status (*read)(simdjson::ondemand::value value, std::string_view name, Draft& draft);
};

// The row of that name, or null.
template <typename Rows>
[[nodiscard]] auto find_row(const Rows& rows, std::string_view name) {
  const auto at = std::find_if(std::begin(rows), std::end(rows), [&](const auto& row) {
    return row.name == name;
  });
  return at == std::end(rows) ? nullptr : &*at;
}

// Reads a field into the draft; one that is null is one that is not there. `seen` holds the names
// of those that were read: a second time is an error.
template <typename Draft>
[[nodiscard]] Status read_field_row(
    const FieldRow<Draft>& row,
    simdjson::ondemand::value value,
    std::vector<std::string_view>& seen,
    Draft& draft
) {
  bool null = false;
  if (const auto error = value.is_null().get(null)) return malformed_json(error);
  if (null) return {};
  if (std::find(seen.begin(), seen.end(), row.name) != seen.end()) {
    return invalid_argument("'" + std::string(row.name) + "' is given twice")
        .with_field(std::string(row.name));
  }
  seen.push_back(row.name);
  return with_field_name(row.read(value, row.name, draft), row.name);
}

// Reads a body, followed by Buffer::kPadding readable bytes, that is one object of such fields.
// kInvalidArgument names the field at fault, and one that is unknown or comes twice.
template <typename Draft, typename Rows>
[[nodiscard]] Status read_field_rows(std::string_view padded_body, const Rows& rows, Draft& draft) {
  HotJson json(padded_body);
  simdjson::ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  std::vector<std::string_view> seen;
  const auto read = [&](std::string_view key, simdjson::ondemand::value value) -> Status {
    if (const FieldRow<Draft>* const row = find_row(rows, key)) {
      return read_field_row(*row, value, seen, draft);
    }
    bool null = false;
    if (const auto error = value.is_null().get(null)) return malformed_json(error);
    return null ? Status() : unknown_field(key);
  };
  CORTEX_RETURN_IF_ERROR(for_each_field(object, read));
  return json.at_end();
}

}  // namespace cortex::frontend
