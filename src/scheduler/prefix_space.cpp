// SPDX-License-Identifier: Apache-2.0
#include "scheduler/prefix_space.h"

#include <cstdio>
#include <utility>

namespace cortex::scheduler {
namespace {

std::string scaled(std::string name, std::string_view version, float scale) {
  char text[32];
  std::snprintf(text, sizeof text, "*%a", static_cast<double>(scale));
  return std::move(name) + "@" + std::string(version) + text;
}

}  // namespace

std::string joined_names(std::string_view first, std::string_view second) {
  return std::to_string(first.size()) + ":" + std::string(first) + std::string(second);
}

cache::PrefixSpace prefix_space(
    std::string owner, std::string salt, const NamedAdapter* adapter, float scale
) {
  cache::PrefixSpace out;
  out.tenant = std::move(owner);
  out.salt = std::move(salt);
  if (adapter != nullptr) {
    out.adapter = scaled(adapter->name, std::to_string(adapter->number), scale);
  }
  return out;
}

std::optional<std::string> stored_adapter(const NamedAdapter& adapter, float scale) {
  if (!adapter.adapter || adapter.adapter->digest().empty()) return std::nullopt;
  return scaled(adapter.name, adapter.adapter->digest(), scale);
}

}  // namespace cortex::scheduler
