// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cortex {

using Parameter = std::variant<bool, std::int64_t, double, std::string>;

// Named values beside a request or a tensor: few, in the order they came.
using Parameters = std::vector<std::pair<std::string, Parameter>>;

// The first parameter of that name, or null.
[[nodiscard]] inline const Parameter* find_parameter(const Parameters& all, std::string_view name) {
  for (const auto& [key, value] : all) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace cortex
