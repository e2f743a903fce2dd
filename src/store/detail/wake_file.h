// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::store {

// Ends a poll() of another thread, once and for all. Thread-safe.
class WakeFile {
 public:
  WakeFile();
  ~WakeFile();
  WakeFile(const WakeFile&) = delete;
  WakeFile& operator=(const WakeFile&) = delete;

  void wake() const;
  // Readable from the first wake() on.
  [[nodiscard]] int file() const { return file_; }

 private:
  const int file_;
};

}  // namespace cortex::store
