// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "registry/alias_book.h"

namespace cortex::registry {

// One stored model, as far as it decides which of its versions are held.
struct StoredView {
  std::vector<std::int64_t> versions;         // ascending
  std::map<std::string, AliasState> aliases;  // what they point to and what they serve
  std::set<std::int64_t> ready;
  std::set<std::int64_t> failed;  // cannot be made or loaded for now
  std::size_t versions_max = 1;   // in memory, once nothing changes any more
};

struct StoredPlan {
  std::set<std::int64_t> hold;
  std::map<std::int64_t, std::string> left_out;  // named by an alias, and not held
};

// Which versions are held:
//  1. what an alias serves; the version that it leaves stays until its successor is ready, and does
//     not count, so that a swap may take one version more for its time;
//  2. what an alias points to, the newest first, as long as there is room: an alias for which there
//     is none goes on serving what it serves;
//  3. the newest; what the aliases served before, so that going back takes no load; other new ones;
//     where all of these failed, what is in memory.
// A version that failed is held, so that its failure is remembered, and does not count: another one
// takes its place in memory. Pure.
[[nodiscard]] StoredPlan plan_stored(const StoredView& view);

}  // namespace cortex::registry
