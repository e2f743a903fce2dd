// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace cortex::registry {

// Tells files that changed from files that did not, by name, size and time: reading gigabytes on
// every scan is no way. Not for keys that must never collide. Thread: its owner's.
class Fingerprint {
 public:
  void add(std::string_view bytes);
  void add(std::uint64_t number);
  // The regular files of a folder and of those below it down to `depth` (0: the folder alone), in
  // the order of their names, 10 000 at most. What cannot be read counts as missing.
  void add_folder(const std::filesystem::path& folder, int depth);

  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;  // FNV-1a, 64 bit
};

}  // namespace cortex::registry
