// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <utility>

#include "base/status.h"

namespace cortex::app {

// Holds a data folder by a lock on a file in it, which the system lets go of when the process ends:
// servers share it, a restore has it alone.
class DataLock {
 public:
  enum class Kind { kShared, kAlone };

  // kFailedPrecondition: somebody has it who does not share it.
  [[nodiscard]] static Result<DataLock> take(const std::filesystem::path& folder, Kind kind);
  DataLock(DataLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~DataLock();

 private:
  explicit DataLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace cortex::app
