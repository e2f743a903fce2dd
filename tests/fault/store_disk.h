// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace cortex::store {

// A disk under SQLite that fails on demand and remembers what was synced: the default VFS of the
// process, over the real one, for the files below one folder. Every write, truncation and sync is
// an operation; they are counted. Thread-safe. One at a time.
class StoreDisk {
 public:
  explicit StoreDisk(std::filesystem::path folder);
  ~StoreDisk();
  StoreDisk(const StoreDisk&) = delete;
  StoreDisk& operator=(const StoreDisk&) = delete;

  // From now on the `nth` operation (1 is the next one) fails with SQLite's code, and with
  // `forever` all after it.
  void fail(int nth, int code, bool forever);
  void work_again();
  // Called before every operation, on the thread that does it.
  void before_each(std::function<void()> call);
  [[nodiscard]] int operations() const;

  // Writes what is on the disk after a power cut to another folder: all that was synced, and of the
  // rest what `survives` says for each write.
  void power_cut(const std::filesystem::path& to, const std::function<bool()>& survives) const;

  // For the VFS alone. The code of the failure that is due, or 0.
  [[nodiscard]] int begin_operation();
  [[nodiscard]] bool owns(const std::string& path) const;
  void wrote(const std::string& path, std::size_t offset, std::string bytes);
  void truncated(const std::string& path, std::size_t size);
  void synced(const std::string& path);
  void removed(const std::string& path);

 private:
  struct Change {
    bool truncates = false;
    std::size_t offset = 0;  // or the size
    std::string bytes;
  };
  struct File {
    std::string durable;
    std::vector<Change> pending;
  };
  static void apply(std::string& content, const Change& change);

  const std::string folder_;
  mutable Mutex mutex_;
  std::map<std::string, File> files_ GUARDED_BY(mutex_);
  std::function<void()> before_each_ GUARDED_BY(mutex_);
  int operations_ GUARDED_BY(mutex_) = 0;
  int fail_at_ GUARDED_BY(mutex_) = 0;
  int code_ GUARDED_BY(mutex_) = 0;
  bool forever_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex::store
