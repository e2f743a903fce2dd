// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::router {

// What a key is bound to that may ask for any workspace.
inline constexpr std::string_view kEveryWorkspace = "*";

// The workspaces of this server: what lies in one of them is not there for the others. "default" is
// always there, and is the one that is served. Immutable, thread-safe.
class Workspaces {
 public:
  // The names beside "default". kInvalidArgument for one that MLflow's clients would refuse: 2 to
  // 63 lower-case letters, digits and inner hyphens.
  [[nodiscard]] static Result<Workspaces> make(std::vector<std::string> names);

  // The workspace of a request: `asked` is what its header names, and may be empty; `bound` is what
  // its key is bound to. kInvalidArgument for one that there is not, kPermissionDenied for another
  // than the key's.
  [[nodiscard]] Result<std::string> choose(std::string_view bound, std::string_view asked) const;

  [[nodiscard]] bool contains(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  explicit Workspaces(std::vector<std::string> names) : names_(std::move(names)) {}

  std::vector<std::string> names_;  // "default" first
};

}  // namespace cortex::router
