// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cortex {

// What a route asks for and a key grants. A set of bits.
enum class Scope : std::uint32_t {
  kNone = 0,         // open to everybody: health
  kRead = 1u << 0,   // metadata, lists, metrics
  kInfer = 1u << 1,  // run models
  kAdmin = 1u << 2,  // load, unload, change
};
using ScopeSet = std::uint32_t;

inline constexpr ScopeSet kAllScopes = 0xFFFF'FFFF;

[[nodiscard]] constexpr bool includes(ScopeSet set, Scope scope) {
  return scope == Scope::kNone || (set & static_cast<std::uint32_t>(scope)) != 0;
}

// Who is served first where requests wait for a language model; a class waits for those before it.
enum class PriorityClass : std::uint8_t { kHigh, kNormal, kLow, kBackground };
inline constexpr std::size_t kPriorityClasses = 4;

// Who asks. Part of every request, of every cache key and of every stored row.
struct Principal {
  std::string workspace = "default";
  bool every_workspace = true;  // it may ask for any: what is of all of them is open to it
  std::string tenant = "default";
  std::string key;  // the key's name, never its secret; empty without keys
  ScopeSet scopes = kAllScopes;
  PriorityClass priority_class = PriorityClass::kNormal;
  double weight = 1;  // of its share beside others of its class, above 0
};

}  // namespace cortex
