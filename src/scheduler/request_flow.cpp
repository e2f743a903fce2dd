// SPDX-License-Identifier: Apache-2.0
#include "scheduler/request_flow.h"

#include <algorithm>
#include <cstdint>

#include "scheduler/prefix_space.h"

namespace cortex::scheduler {
namespace {

constexpr std::size_t kDefaultClass = 2;

}  // namespace

std::string flow_of(const Principal& principal) {
  return joined_names(joined_names(principal.workspace, principal.tenant), principal.key);
}

std::size_t level_of(const Request& request) {
  const std::size_t own = request.principal.priority_class;
  const auto asked = static_cast<std::size_t>(std::min<std::uint64_t>(request.priority, 64));
  const std::size_t most = own > 0 ? own : (asked > 0 ? 1 : kDefaultClass);
  return std::max(most, asked) - 1;
}

}  // namespace cortex::scheduler
