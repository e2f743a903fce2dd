// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace cortex::registry {

// Keeps those who read a version's folder file by file, a scan or a load with its probation, apart
// from those who take it away or put another one in its place. Thread-safe.
class FolderLocks {
 public:
  // The folder stays as it is, there or not, while one of these lives. Of the locks, which outlive
  // it. Any thread may end it.
  class Reading {
   public:
    Reading(FolderLocks& locks, const std::filesystem::path& folder);
    ~Reading();
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    FolderLocks& locks_;
    const std::filesystem::path folder_;
  };

  // Runs `change` once nobody reads the folder, and gives what it says. It must be short, a rename:
  // all who want to read wait for it. kUnavailable, without a call: somebody still reads after
  // `patience`.
  [[nodiscard]] Status change(
      const std::filesystem::path& folder, Duration patience, const std::function<Status()>& change
  );

 private:
  Mutex mutex_;
  Condition ended_;
  std::map<std::filesystem::path, std::size_t> readers_ GUARDED_BY(mutex_);
};

}  // namespace cortex::registry
