// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "request/request.h"

namespace cortex::scheduler {

// Whose share of a lane the requests of a principal take: one of each key, tenant and workspace.
[[nodiscard]] std::string flow_of(const Principal& principal);

// The level of a request in FairQueue, 0 first: its principal's class, and as many behind that as
// it is nice. No request comes before its principal's class.
[[nodiscard]] std::size_t level_of(const Request& request);

}  // namespace cortex::scheduler
