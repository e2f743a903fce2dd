// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/status.h"

namespace cortex::registry {

// Refuses a YAML text before it becomes a tree: aliases and anchors (a few lines could unfold into
// gigabytes), tags, several documents, more than 16 levels or 10 000 nodes, and what is not YAML.
// kInvalidArgument names the line.
[[nodiscard]] Status check_yaml(std::string_view text);

}  // namespace cortex::registry
