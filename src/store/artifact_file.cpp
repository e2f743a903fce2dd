// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

namespace cortex::store {
namespace {

constexpr std::size_t kCopyBytes = 1024 * 1024;

Status copy_by_hand(const DiskCalls& calls, const File& from, const File& to, std::uint64_t done) {
  std::vector<std::byte> window(kCopyBytes);
  while (true) {
    CORTEX_ASSIGN_OR_RETURN(const std::size_t size, read_at(from, done, window));
    if (size == 0) return {};
    CORTEX_RETURN_IF_ERROR(write_all(calls, to, std::span(window).first(size)));
    done += size;
  }
}

}  // namespace

Status disk_error(std::string_view call, int error) {
  Detail detail{std::string(call) + ": " + std::system_category().message(error)};
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {Code::kResourceExhausted, "the disk of the artifact store is full", detail};
    case EIO:
      return {Code::kDataLoss, "the disk of the artifact store is broken", detail};
    case EEXIST:
      return {Code::kAlreadyExists, "there is such a file already", detail};
    case ENOENT:
      return {Code::kNotFound, "there is no such file", detail};
    default:
      return internal("artifact store: " + detail.text);
  }
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (is_open()) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

File::~File() {
  if (is_open()) ::close(descriptor_);
}

Status write_all(const DiskCalls& calls, const File& file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = calls.write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return disk_error("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<std::size_t> read_at(const File& file, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(
        file.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done)
    );
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return disk_error("read", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Status sync_folder(const DiskCalls& calls, const std::filesystem::path& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open()) return disk_error("open the folder", errno);
  if (calls.sync(file.get()) != 0) return disk_error("sync the folder", errno);
  return {};
}

Status append_file(const DiskCalls& calls, const File& from, const File& to) {
  loff_t done = 0;
  while (true) {
    const ssize_t copied = calls.copy(from.get(), &done, to.get(), nullptr, 1 << 30, 0);
    if (copied == 0) return {};
    if (copied > 0) continue;
    if (errno == EINTR) continue;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO) {
      return disk_error("copy", errno);
    }
    // Not every pair of file systems can.
    return copy_by_hand(calls, from, to, static_cast<std::uint64_t>(done));
  }
}

}  // namespace cortex::store
