// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/folder_locks.h"
#include "request/model_config.h"

namespace cortex::registry {

// One version folder of a model.
struct VersionFolder {
  std::int64_t version = 0;
  std::filesystem::path path;
  std::uint64_t fingerprint = 0;  // of names, sizes and times of its files and of the model
                                  // folder's; of a stored version of its manifest
  std::optional<ModelConfig> config =
      std::nullopt;   // its own, of a stored version; else the model's
  Status fault = {};  // not OK: this version cannot be loaded
};

// One model folder as it was read: docs/formats/model-folder.md.
struct ModelFolder {
  std::string name;
  std::filesystem::path path;
  ModelConfig config;  // name and backend are filled in; still open() towards the model
  Status fault;        // not OK: nothing of it can be loaded
  std::vector<VersionFolder> versions;  // ascending
  bool stored = false;  // made from the store: every version is served, with its own configuration
  // Not OK: the store has a model of this name too, which gives way to this one.
  Status stored_fault = {};
  std::vector<std::string> without_effect = {};  // fields of config.pbtxt that do nothing here
};

// All repositories at one moment. A value.
struct RepositorySnapshot {
  std::map<std::string, ModelFolder> models;
  std::vector<std::string> notes;  // for the log: folders that were left out
};

// Configurations of load requests, in JSON, by model. They stand for the file of the folder; what
// that form cannot say (text, threads, variance) stays as the file says it.
using ConfigOverrides = std::map<std::string, std::string>;

// The name of a file that makes a version folder one: model.onnx, model.gguf, and those of the
// synthetic engines.
[[nodiscard]] bool is_model_file(std::string_view filename);

// The file that names what a stored version was made of. A version folder without it is at fault.
inline constexpr std::string_view kManifestFile = ".manifest";

// Model folders that were made from the store.
struct StoredRepository {
  std::filesystem::path folder;  // empty: none
  FolderLocks* locks = nullptr;  // of whoever takes version folders away; null: nobody does
};

// VersionFolder::fingerprint of a stored version as it stands there now; the error says why it has
// none. Blocks on the file system. Thread-safe.
[[nodiscard]] Result<std::uint64_t> stored_fingerprint(const std::filesystem::path& version_folder);

// Reads every model folder, and the stored ones; a stored version that goes meanwhile is read as a
// whole or not at all. Links are followed (mounted volumes are made of them); names that begin
// with '.' are not models. What is wrong with one model is its `fault`, also that two repositories
// hold its name; of a name that is stored and in a repository the repository's is served. The error
// is for a repository itself: not a readable folder (kNotFound), or more than 10 000 models
// (kResourceExhausted). Blocks on the file system. Thread-safe.
[[nodiscard]] Result<RepositorySnapshot> read_repositories(
    std::span<const std::filesystem::path> repositories,
    const ConfigOverrides& overrides,
    const StoredRepository& stored = {}
);

// That one model alone; nothing when no repository has a folder of that name.
[[nodiscard]] std::optional<ModelFolder> read_model(
    std::span<const std::filesystem::path> repositories,
    const std::string& name,
    const ConfigOverrides& overrides,
    const StoredRepository& stored = {}
);

// One folder wherever it is: for `cortex models inspect`. `override_json` may be null.
[[nodiscard]] ModelFolder read_model_folder(
    const std::filesystem::path& folder, const std::string* override_json = nullptr
);

}  // namespace cortex::registry
