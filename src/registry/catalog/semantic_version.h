// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::registry {

// Strictly "X.Y.Z": decimal numbers without leading zeros, up to 999 999 999 each; no pre-release,
// no build.
struct SemanticVersion {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::int64_t patch = 0;

  auto operator<=>(const SemanticVersion&) const = default;
};

enum class Increment : std::uint8_t { kPatch, kMinor, kMajor };

[[nodiscard]] Result<SemanticVersion> parse_semantic_version(std::string_view text);
[[nodiscard]] std::string to_text(const SemanticVersion& version);
// The version behind `newest`; 1.0.0 when there is none.
[[nodiscard]] SemanticVersion next_version(
    const std::optional<SemanticVersion>& newest, Increment increment
);

}  // namespace cortex::registry
