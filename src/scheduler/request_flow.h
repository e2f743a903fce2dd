// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "request/request.h"

namespace cortex::scheduler {

// Whose share of a lane the requests of a principal take: one of each key, tenant and workspace.
[[nodiscard]] std::string flow_of(const Principal& principal);

// The level of a request in FairQueue, 0 first: its priority, at most its principal's class.
// Without either it stands behind those of class 1 and before all others.
[[nodiscard]] std::size_t level_of(const Request& request);

}  // namespace cortex::scheduler
