// SPDX-License-Identifier: Apache-2.0
#include "router/workspaces.h"

#include <algorithm>
#include <array>
#include <utility>

#include "request/principal.h"

namespace cortex::router {
namespace {

constexpr std::size_t kNameBytesMin = 2;
constexpr std::size_t kNameBytesMax = 63;
// They would stand where MLflow's web pages have a part of a path.
constexpr std::array<std::string_view, 4> kReserved = {
    "workspaces", "api", "ajax-api", "static-files"
};

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_workspace_name(std::string_view name) {
  if (name.size() < kNameBytesMin || name.size() > kNameBytesMax) return false;
  if (!is_plain(name.front()) || !is_plain(name.back())) return false;
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_plain(c) || c == '-'; });
}

}  // namespace

Result<Workspaces> Workspaces::make(std::vector<std::string> names) {
  const std::string first = Principal().workspace;
  std::vector<std::string> all{first};
  for (std::string& name : names) {
    if (!is_workspace_name(name)) {
      return invalid_argument(
          "'" + name + "' is no workspace: 2 to 63 lower-case letters, digits and inner hyphens"
      );
    }
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(std::move(name));
  }
  return Workspaces(std::move(all));
}

bool Workspaces::contains(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

Result<std::string> Workspaces::choose(std::string_view bound, std::string_view asked) const {
  const bool any = bound == kEveryWorkspace;
  if (asked.empty()) return any ? names_.front() : std::string(bound);
  // Before anything is said about whether it is there.
  if (!any && asked != bound) {
    return permission_denied("this key is bound to the workspace '" + std::string(bound) + "'");
  }
  if (!contains(asked))
    return invalid_argument("there is no workspace '" + std::string(asked) + "'");
  return std::string(asked);
}

}  // namespace cortex::router
