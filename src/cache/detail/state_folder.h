// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cache/prefix_file.h"

namespace cortex::cache {

// The files of a prefix store. A file is written under a name that ends in ".part" and renamed when
// it is whole. Nothing is synced: a power cut may lose files, and the checksum finds those that it
// broke. Thread: the store's own.
class StateFolder {
 public:
  // What can fail on a full disk, so that tests can make it fail.
  using WriteCall = std::function<ssize_t(int, const void*, std::size_t)>;

  struct Found {
    PrefixFileHead head;
    std::string file;
    std::uint64_t bytes = 0;
    std::filesystem::file_time_type used;
  };
  struct Scan {
    std::vector<Found> files;  // the one used last comes first
    std::size_t broken = 0;    // deleted: no head, or not as long as it says
    std::size_t foreign = 0;   // deleted: of another model
  };

  StateFolder(std::filesystem::path folder, WriteCall write);
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  [[nodiscard]] bool is_open() const { return lock_ >= 0; }
  // Makes the folder and takes its lock; kFailedPrecondition when another store has it.
  [[nodiscard]] Status open();
  // Reads all heads and deletes what no state of `model` is.
  [[nodiscard]] Scan scan(const std::string& model) const;

  // All of the file or none. kResourceExhausted: the disk is full.
  [[nodiscard]] Status write(
      const std::string& file, std::span<const std::byte> head, std::span<const std::byte> state
  ) const;
  // The state in `file`, and makes the file the one used last. kDataLoss: it is not what `key`
  // wants, or not whole.
  [[nodiscard]] Result<std::vector<std::byte>> read(const std::string& file, const PrefixKey& key)
      const;
  void remove(const std::string& file) const;

 private:
  const std::filesystem::path folder_;
  const WriteCall write_;
  int lock_ = -1;
};

}  // namespace cortex::cache
