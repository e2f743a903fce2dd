// SPDX-License-Identifier: Apache-2.0
#include "store/detail/change_feed.h"

#include <utility>

namespace cortex::store {

void ChangeFeed::on_change(std::function<void(std::int64_t)> changed) {
  MutexLock lock(mutex_);
  changed_ = std::move(changed);
}

void ChangeFeed::advance(std::int64_t revision) {
  MutexLock lock(mutex_);
  if (revision <= revision_.load()) return;
  revision_ = revision;
  if (changed_) changed_(revision);
}

}  // namespace cortex::store
