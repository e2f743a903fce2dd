// SPDX-License-Identifier: Apache-2.0
#include "app/data_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace cortex::app {

Result<DataLock> DataLock::take(const std::filesystem::path& folder, Kind kind) {
  const std::string path = (folder / "lock").string();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return failed_precondition("'" + path + "': " + std::system_category().message(errno));
  }
  DataLock lock(descriptor);
  const int operation = (kind == Kind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  if (::flock(descriptor, operation) == 0) return lock;
  return failed_precondition(
      "'" + folder.string() + "' is in use by " + (kind == Kind::kShared ? "a restore" : "a server")
  );
}

DataLock::~DataLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace cortex::app
