// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

// A version as its source knows it: complete, and never another one under the same origin.
struct SourceVersion {
  std::int64_t number = 0;
  std::string origin;  // the source's name of its files
};

struct SourceModel {
  std::string name;
  // Ascending; the newest, and those that aliases point to or pointed to before.
  std::vector<SourceVersion> versions;
  // To versions. "/Production" and "/Staging" are the newest versions in these lifecycle stages. 0:
  // the alias stands, and may serve nothing.
  std::map<std::string, std::int64_t> aliases;
  // What these aliases pointed to before, where that is known.
  std::map<std::string, std::int64_t> previous = {};
  // Of versions that an alias of the source's points to and does not serve, or serves with a
  // warning; for the index.
  std::map<std::int64_t, std::string> notes = {};
  // The versions that these aliases may serve, whatever they served before; others may serve all.
  std::map<std::string, std::set<std::int64_t>> permitted = {};
};

// One file of a version.
struct SourceFile {
  std::string path;    // inside the version's folder, parts with '/' between
  std::string digest;  // SHA-256, 64 lower-case hexadecimal digits
  std::uint64_t size = 0;
};

struct SourceChanges {
  std::vector<SourceModel> models;  // as they are now
  std::vector<std::string> gone;
  bool whole = false;  // every model is in `models`; others are gone
  bool again = false;  // something of one model could not be found out: ask again after a while
};

// Where desired models come from: the store, or another server. Functions block; each error says
// what could not be had and is safe to show. Thread-safe, but changes() has one caller.
class Source {
 public:
  virtual ~Source() = default;

  // What changed since the last call that succeeded, at one moment; the first time everything.
  [[nodiscard]] virtual Result<SourceChanges> changes() = 0;
  // Every file of a version, by path. kResourceExhausted: more than kVersionFilesMax.
  [[nodiscard]] virtual Result<std::vector<SourceFile>> files(const std::string& origin) = 0;
  // The bytes of a small file; kResourceExhausted above `limit`.
  [[nodiscard]] virtual Result<std::string> read(const SourceFile& file, std::size_t limit) = 0;
  // Makes `to`, a new file in an existing folder, hold the file.
  [[nodiscard]] virtual Status fetch(const SourceFile& file, const std::filesystem::path& to) = 0;
};

inline constexpr std::size_t kVersionFilesMax = 1'000;

}  // namespace cortex::registry
