// SPDX-License-Identifier: Apache-2.0
#include "store/detail/sqlite_backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "store/detail/sqlite_connection.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kCopyBusyLimit{30};

Status file_error(const std::string& what, const fs::path& path, const std::error_code& fault) {
  const Code code =
      fault == std::errc::no_space_on_device ? Code::kResourceExhausted : Code::kUnavailable;
  return Status(code, what + " " + path.string() + ": " + fault.message());
}

Status sync(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code fault(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return synced ? Status() : file_error("cannot sync", path, fault);
}

Status copy_to(const std::string& path, const fs::path& to) {
  using Access = SqliteConnection::Access;
  CORTEX_ASSIGN_OR_RETURN(
      const auto connection, SqliteConnection::open(path, Access::kWriting, kCopyBusyLimit)
  );
  const std::array<Value, 1> parameters = {to.string()};
  CORTEX_RETURN_IF_ERROR(connection->execute("VACUUM INTO $1", parameters).status());
  return sync(to);
}

// A hard link never replaces a file that came meanwhile.
Status publish(const fs::path& part, const fs::path& to) {
  std::error_code fault;
  fs::create_hard_link(part, to, fault);
  if (fault == std::errc::file_exists) {
    return already_exists("the file " + to.string() + " exists already");
  }
  if (fault) return file_error("cannot write", to, fault);
  return sync(to.has_parent_path() ? to.parent_path() : fs::path("."));
}

std::string lines_of(const Rows& rows) {
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text.append(i == 0 ? "" : "; ").append(rows.text(i, 0));
  }
  return text;
}

}  // namespace

Status backup_sqlite(const std::string& path, const fs::path& to) {
  std::error_code fault;
  if (fs::exists(to, fault)) {
    return already_exists("the file " + to.string() + " exists already");
  }
  const fs::path part = to.string() + ".part";
  fs::remove(part, fault);
  Status status = copy_to(path, part);
  if (status.ok()) status = publish(part, to);
  fs::remove(part, fault);
  return status;
}

Status check_sqlite(const std::string& path) {
  CORTEX_ASSIGN_OR_RETURN(
      const auto connection,
      SqliteConnection::open(path, SqliteConnection::Access::kReading, kCopyBusyLimit)
  );
  CORTEX_ASSIGN_OR_RETURN(const Rows faults, connection->query("PRAGMA integrity_check(20)", {}));
  if (faults.size() != 1 || faults.text(0, 0) != "ok") {
    return Status(Code::kDataLoss, "the database file is damaged: " + lines_of(faults));
  }
  CORTEX_ASSIGN_OR_RETURN(const Rows orphans, connection->query("PRAGMA foreign_key_check", {}));
  if (orphans.empty()) return {};
  return Status(
      Code::kDataLoss,
      std::to_string(orphans.size()) +
          " rows refer to rows that are not there, the first in the "
          "table " +
          orphans.text(0, 0)
  );
}

}  // namespace cortex::store
