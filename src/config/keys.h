// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/loader.h"

namespace cortex::config {

// What a key may do, in place of the defaults under `quotas`; 0 lifts one.
struct KeyLimits {
  std::optional<std::uint64_t> requests_per_minute;
  std::optional<std::uint64_t> tokens_per_minute;
  std::optional<std::uint64_t> concurrent_requests;
};

inline constexpr double kKeyWeightMin = 0.01;
inline constexpr double kKeyWeightMax = 100;

// One entry of a key file. The secret itself is never written down.
struct KeyEntry {
  std::string name;
  std::string tenant = "default";
  std::string workspace = "default";  // "*": it may ask for any
  // Of "read", "infer", "admin", whichever of their two names the file has; at least one.
  std::vector<std::string> scopes;
  std::array<std::uint8_t, 32> sha256{};  // of the secret's bytes
  KeyLimits limits;
  std::string priority_class = "normal";  // `class`: "high", "normal", "low" or "background"
  double weight = 1;                      // kKeyWeightMin … kKeyWeightMax
};

struct KeyFile {
  std::vector<KeyEntry> keys;
  std::vector<Fault> faults;
};

// Reads a key file (YAML or JSON): a list of {name, tenant, workspace, scopes, sha256, limits,
// class, weight}, or a map with that list under "keys". Names and digests are unique. All faults at
// once. Never throws.
[[nodiscard]] KeyFile parse_keys(std::string_view text, std::string_view name);

}  // namespace cortex::config
