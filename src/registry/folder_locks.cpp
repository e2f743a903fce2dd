// SPDX-License-Identifier: Apache-2.0
#include "registry/folder_locks.h"

namespace cortex::registry {

FolderLocks::Reading::Reading(FolderLocks& locks, const std::filesystem::path& folder)
    : locks_(locks), folder_(folder) {
  MutexLock lock(locks_.mutex_);
  ++locks_.readers_[folder_];
}

FolderLocks::Reading::~Reading() {
  {
    MutexLock lock(locks_.mutex_);
    const auto readers = locks_.readers_.find(folder_);
    if (--readers->second > 0) return;
    locks_.readers_.erase(readers);
  }
  locks_.ended_.notify_all();
}

Status FolderLocks::change(
    const std::filesystem::path& folder, Duration patience, const std::function<Status()>& change
) {
  const TimePoint deadline = TimePoint::clock::now() + patience;
  MutexLock lock(mutex_);
  while (readers_.contains(folder)) {
    if (!ended_.wait_until(mutex_, deadline) && readers_.contains(folder))
      return unavailable("the folder is still being read");
  }
  return change();
}

}  // namespace cortex::registry
