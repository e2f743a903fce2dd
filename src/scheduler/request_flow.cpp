// SPDX-License-Identifier: Apache-2.0
#include "scheduler/request_flow.h"

#include <algorithm>

#include "scheduler/prefix_space.h"

namespace cortex::scheduler {

std::string flow_of(const Principal& principal) {
  return joined_names(joined_names(principal.workspace, principal.tenant), principal.key);
}

std::size_t level_of(const Request& request) {
  const auto own = static_cast<std::size_t>(request.principal.priority_class);
  const auto behind = static_cast<std::size_t>(std::max(request.niceness, 0));
  return std::min(own + behind, kPriorityClasses - 1);
}

}  // namespace cortex::scheduler
