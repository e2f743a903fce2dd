// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>

#include "base/status.h"
#include "registry/remote/remote_registry.h"

namespace cortex::registry {

// What is followed of one model on another server.
struct RemoteSelection {
  bool newest = false;              // "churn"
  std::set<std::string> aliases;    // "churn@champion"; a lifecycle stage is "/Production"
  std::set<std::int64_t> versions;  // "churn@3"
};

// By model. The references are those of every API, MLflow's form included:
// "models:/churn/Production". kInvalidArgument names the one that is wrong.
[[nodiscard]] Result<std::map<std::string, RemoteSelection>> parse_selections(
    std::span<const std::string> references
);

// What a selection means now.
struct RemoteChoice {
  std::map<std::string, std::int64_t> aliases;  // of those that are followed and stand
  std::set<std::int64_t> versions;              // to be served
};
[[nodiscard]] RemoteChoice choose(const RemoteSelection& selection, const RemoteModel& model);

}  // namespace cortex::registry
