// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::cli {

// The file that `backup` writes and `restore` reads: a tar archive (ustar; sizes of 8 GiB and more
// as GNU has them) of
//   cortex.db                      the database, one moment
//   artifacts/sha256/ab/<digest>   every artifact, unless they were left out
//   manifest.json                  the last entry: a file without it is not whole
inline constexpr std::string_view kDatabaseEntry = "cortex.db";
inline constexpr std::string_view kBlobPrefix = "artifacts/sha256/";
inline constexpr std::string_view kManifestEntry = "manifest.json";
inline constexpr int kBackupFormat = 1;

struct ArchiveEntry {
  std::string name;  // 1 to 100 bytes
  std::uint64_t size = 0;
};

// Writes FILE.part, which takes its name when all is there and synced; without finish() it is
// removed. Thread: one.
class ArchiveWriter {
 public:
  // kAlreadyExists: there is such a file.
  [[nodiscard]] static Result<ArchiveWriter> create(const std::string& file);
  ArchiveWriter(ArchiveWriter&&) noexcept;
  ~ArchiveWriter();

  // REQUIRES: what was written to the entry before is its size.
  [[nodiscard]] Status begin(const ArchiveEntry& entry);
  [[nodiscard]] Status write(std::string_view bytes);
  [[nodiscard]] Status finish();

 private:
  struct State;
  explicit ArchiveWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Thread: one.
class ArchiveReader {
 public:
  [[nodiscard]] static Result<ArchiveReader> open(const std::string& file);
  ArchiveReader(ArchiveReader&&) noexcept;
  ~ArchiveReader();

  // The next entry, behind what is left of the one before; nullopt: the end. kDataLoss: no such
  // archive, or cut off.
  [[nodiscard]] Result<std::optional<ArchiveEntry>> next();
  // Of the entry; 0 at its end. kDataLoss: cut off.
  [[nodiscard]] Result<std::size_t> read(std::span<char> into);

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cortex::cli
