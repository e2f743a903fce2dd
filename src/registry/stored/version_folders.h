// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>

#include "base/status.h"
#include "registry/folder_locks.h"
#include "registry/stored/source.h"
#include "registry/stored/version_layout.h"

namespace cortex::registry {

// The model folders that are made from a source: <root>/<model>/<version>/…, each version with a
// manifest of what it was made of. A version appears as a whole or not at all: it is made below
// <root>/.incoming and renamed; what the registry reads is not taken away meanwhile. The files
// belong to the source's store and are never written to. Every function blocks on the disk. Thread:
// one at a time.
class VersionFolders {
 public:
  // `locks`: the registry's, of `root`. They outlive it. `patience`: how long it waits for those
  // who read; scans are over soon, and a load is better waited for elsewhere.
  VersionFolders(
      std::filesystem::path root, FolderLocks& locks, Duration patience = std::chrono::seconds(2)
  )
      : root_(std::move(root)), locks_(locks), patience_(patience) {}

  // Makes the root and removes what a killed process left unfinished.
  [[nodiscard]] Status prepare() const;
  // What stands there, by model.
  [[nodiscard]] Result<std::map<std::string, std::set<std::int64_t>>> present() const;

  // Makes the folder of a version; nothing to do when it stands there and was made of the same.
  // Size and digest of every file are checked: kDataLoss. kFailedPrecondition and kInvalidArgument:
  // the version cannot be served here, and why; anything else may go better another time
  // (kResourceExhausted: the disk is full; kUnavailable: the one that stands there is being read).
  [[nodiscard]] Status make(Source& source, const std::string& model, const SourceVersion& version)
      const;
  // No error when there is none. The model's folder goes with its last version. kUnavailable: the
  // version is being read.
  [[nodiscard]] Status remove(const std::string& model, std::int64_t version) const;

 private:
  [[nodiscard]] Status build(
      Source& source, std::span<const PlacedFile> files, const std::filesystem::path& folder
  ) const;

  const std::filesystem::path root_;
  FolderLocks& locks_;
  const Duration patience_;
};

// True for a name that can be a folder's.
[[nodiscard]] bool is_folder_name(const std::string& model);

}  // namespace cortex::registry
