// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace cortex::registry {

// Who changes the catalog, where, when and why. Part of every change: the audit log and the
// history of the aliases keep it.
struct Authorship {
  std::string workspace = "default";
  std::string user;     // the name of a key or of a user; empty without keys
  std::string reason;   // free text; may be empty
  std::int64_t at = 0;  // milliseconds since the epoch
};

// The key of a model in the store's change feed (kind "model"): the name alone in the workspace
// "default", else "<workspace>/<name>". Names hold no '/'.
[[nodiscard]] std::string change_key(const std::string& workspace, const std::string& model);

}  // namespace cortex::registry
