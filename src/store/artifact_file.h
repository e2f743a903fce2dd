// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "base/status.h"

// The calls into the operating system below the artifact folder. Private to it and its tests.
namespace cortex::store {

// What can fail on a full or broken disk, so that tests can make it fail.
struct DiskCalls {
  ssize_t (*write)(int, const void*, std::size_t) = ::write;
  int (*sync)(int) = ::fsync;
  int (*link)(const char*, const char*) = ::link;
  ssize_t (*copy)(int, off_t*, int, off_t*, std::size_t, unsigned) = ::copy_file_range;
};

// The Status of a call that failed with `error`: a full disk or a reached file size is
// kResourceExhausted, a broken one kDataLoss. `call` goes to the log alone.
[[nodiscard]] Status disk_error(std::string_view call, int error);

// An open file that is closed with its owner.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept;
  ~File();

  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

[[nodiscard]] Status write_all(
    const DiskCalls& calls, const File& file, std::span<const std::byte> bytes
);
// The number of bytes, less than asked for only at the end.
[[nodiscard]] Result<std::size_t> read_at(
    const File& file, std::uint64_t offset, std::span<std::byte> out
);
// Makes the names in a folder survive a power cut.
[[nodiscard]] Status sync_folder(const DiskCalls& calls, const std::filesystem::path& folder);
// Appends all of `from` to `to`, within the kernel, shared on the disk where the file system can.
[[nodiscard]] Status append_file(const DiskCalls& calls, const File& from, const File& to);

}  // namespace cortex::store
