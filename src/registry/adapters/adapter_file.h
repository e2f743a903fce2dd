// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/status.h"

namespace cortex::registry {

// A file of the adapter folder, held open: what is read through path() is what the digest names,
// whatever becomes of the name meanwhile. Thread: its owner's.
class AdapterFile {
 public:
  // Opens and reads all of it. `path` is below `folder`, or names a place below it from the root.
  // kInvalidArgument, with field "path": it leads out of the folder, also through a symbolic link,
  // is no regular file, or has more than `bytes_max` bytes. kNotFound: there is none. Blocks.
  [[nodiscard]] static Result<AdapterFile> open(
      const std::filesystem::path& folder, const std::string& path, std::uint64_t bytes_max
  );
  AdapterFile(AdapterFile&& other) noexcept;
  AdapterFile& operator=(AdapterFile&&) = delete;
  ~AdapterFile();

  // For an engine that wants a path; of use while this lives.
  [[nodiscard]] std::filesystem::path path() const;
  // The text of an engine that was given path(), which says nothing to anybody, with the place
  // below the folder instead.
  [[nodiscard]] std::string named(std::string text) const;
  [[nodiscard]] const std::string& below_folder() const { return below_folder_; }
  [[nodiscard]] const std::string& digest() const { return digest_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }

 private:
  explicit AdapterFile(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] Status place_below(const std::filesystem::path& folder, const std::string& asked);
  [[nodiscard]] Status measure(std::uint64_t bytes_max);
  [[nodiscard]] Status read_all();

  int descriptor_ = -1;
  std::string below_folder_;
  std::string digest_;
  std::int64_t bytes_ = 0;
};

}  // namespace cortex::registry
