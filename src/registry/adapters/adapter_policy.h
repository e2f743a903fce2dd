// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace cortex::registry {

// A loaded adapter, as what may give way.
struct AdapterPlace {
  std::size_t bytes = 0;
  TimePoint last_used{};
  bool same_model = false;  // lies in the memory that the new one wants into
  bool pinned = false;
  bool in_use = false;  // a request holds it
};

struct AdapterLimits {
  std::size_t adapters_max = 20;  // in one loaded version
  std::size_t bytes_max = 0;      // of all versions together; 0: no bound
};

// Which places give way so that an adapter of `bytes` finds room: the ones that were used least
// recently, as few as it takes. kResourceExhausted names the limit where pinned ones and those in
// use leave none. Pure.
[[nodiscard]] Result<std::vector<std::size_t>> make_room(
    std::span<const AdapterPlace> places, const AdapterLimits& limits, std::size_t bytes
);

}  // namespace cortex::registry
