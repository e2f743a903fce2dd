// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/status.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::frontend::registry_api {

// A copy of the database, for a client to fetch in pieces. There is one at most: a new one takes
// the place of the one before. Thread: one at a time; every function blocks on the disk.
class BackupCopies {
 public:
  // Empties the folder: copies do not outlive the process. The store outlives it.
  BackupCopies(store::Store& store, std::filesystem::path folder);

  struct Copy {
    std::string id;
    std::uint64_t size = 0;
    std::string digest;  // SHA-256
  };
  // kUnimplemented where the database has its own tools.
  [[nodiscard]] Result<Copy> make();
  // kNotFound: no such copy (any more). Less than `limit` only at the end.
  [[nodiscard]] Result<std::string> read(
      const std::string& id, std::uint64_t offset, std::size_t limit
  );
  [[nodiscard]] Status remove(const std::string& id);

 private:
  [[nodiscard]] std::filesystem::path path_of(const std::string& id) const;
  [[nodiscard]] Status check(const std::string& id) const;

  store::Store& store_;
  const std::filesystem::path folder_;
  std::string current_;  // empty: none
  std::uint64_t made_ = 0;
};

}  // namespace cortex::frontend::registry_api
