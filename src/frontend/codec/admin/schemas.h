// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace cortex::frontend::admin {

// One body that routes name as their request or their answer. All text is static.
struct Schema {
  std::string_view name;
  std::string_view media_type;
  bool binary_form;       // may be followed by binary tensors, as application/octet-stream
  std::string_view text;  // JSON Schema 2020-12, as OpenAPI 3.1 has it
};

[[nodiscard]] std::span<const Schema> schemas();

// The schema of that name, or null.
[[nodiscard]] const Schema* find_schema(std::string_view name);

}  // namespace cortex::frontend::admin
