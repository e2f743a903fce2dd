// SPDX-License-Identifier: Apache-2.0
#include "registry/model_repository.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <functional>
#include <set>
#include <system_error>
#include <utility>

#include "registry/fingerprint.h"
#include "registry/model_config_reader.h"
#include "registry/registry_policy.h"
#include "request/model_reference.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kModelsMax = 10'000;
constexpr std::size_t kVersionsMax = 1'000;
constexpr int kVersionDepth = 8;

struct KnownFile {
  std::string_view filename;
  std::string_view backend;
};
constexpr auto kKnownFiles = std::to_array<KnownFile>(
    {{"model.onnx", "onnx"},
     {"model.gguf", "llama"},
     {"model.synthetic", "synthetic"},
     {"sequences.synthetic", "synthetic_sequences"}}
);

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() != fs::file_type::not_found;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// The names of the folders inside `folder`, links to folders included, sorted.
Result<std::set<std::string>> folder_names(const fs::path& folder, std::size_t limit) {
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code broken;
    if (!it->is_directory(broken) && !broken) continue;
    names.insert(it->path().filename().string());
    if (names.size() > limit) {
      return resource_exhausted(
          "more than " + std::to_string(limit) + " folders in '" + folder.string() + "'"
      );
    }
  }
  if (error)
    return not_found("'" + folder.string() + "' is not a readable folder: " + error.message());
  return names;
}

// Bounded: a longer file is an error of the parser, which never sees more than one byte too many.
Result<std::string> read_text(const fs::path& file) {
  const std::string name = file.filename().string();
  if (!is_file(file)) return invalid_argument(name + ": not a readable file");
  std::ifstream stream(file, std::ios::binary);
  std::string text(kConfigBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (!stream.eof() && stream.gcount() == 0)) {
    return invalid_argument(name + ": cannot be read");
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

// Version folders are positive numbers without leading zeros.
std::optional<std::int64_t> version_number(const std::string& name) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  if (number <= 0 || name.front() == '0') return std::nullopt;
  return number;
}

Result<ConfigText> parse_file(const fs::path& file, bool yaml) {
  CORTEX_ASSIGN_OR_RETURN(const std::string text, read_text(file));
  auto parsed = yaml ? parse_model_yaml(text) : parse_config_pbtxt(text);
  if (!parsed.ok()) return parsed.status().with_prefix(file.filename().string() + ": ");
  return parsed;
}

Result<ConfigText> read_config(const fs::path& folder) {
  const fs::path pbtxt = folder / "config.pbtxt";
  const fs::path yaml = folder / "model.yaml";
  if (is_there(pbtxt) && is_there(yaml)) {
    return invalid_argument("both config.pbtxt and model.yaml are there: keep one");
  }
  if (is_there(pbtxt)) return parse_file(pbtxt, false);
  if (is_there(yaml)) return parse_file(yaml, true);
  ConfigText nothing_said;
  nothing_said.config.open = {.batch_size = true, .pad_lengths = true};
  return nothing_said;
}

Result<ConfigText> apply_override(const std::string& json, const Result<ConfigText>& file) {
  auto parsed = parse_config_json(json);
  if (!parsed.ok()) return parsed.status().with_prefix("config of the load request: ");
  if (!file.ok()) return parsed;
  ModelConfig& to = parsed->config;
  const ModelConfig& from = file->config;
  to.text = from.text;
  to.generation = from.generation;
  if (to.threads == 0) to.threads = from.threads;
  to.batching.pad_lengths = from.batching.pad_lengths;
  to.batching.allow_variance = from.batching.allow_variance;
  to.open.pad_lengths = from.open.pad_lengths;
  return parsed;
}

// Where the owner did not say it, the file in the version's folder says which backend runs it.
Status find_backend(const VersionFolder& newest, ModelConfig& config) {
  if (!config.backend.empty()) return {};
  const fs::path extension = fs::path(config.default_filename).extension();
  for (const KnownFile& known : kKnownFiles) {
    const bool fits = config.default_filename.empty()
                          ? is_file(newest.path / known.filename)
                          : extension == fs::path(known.filename).extension();
    if (!fits) continue;
    config.backend = known.backend;
    if (config.default_filename.empty()) config.default_filename = known.filename;
    return {};
  }
  if (!config.default_filename.empty()) {
    return invalid_argument(
        "no backend: the configuration names none for '" + config.default_filename + "'"
    );
  }
  return invalid_argument(
      "no backend: the configuration names none, and version " + std::to_string(newest.version) +
      " holds neither model.onnx nor model.gguf"
  );
}

Status find_tokenizer(const fs::path& folder, ModelConfig& config) {
  std::string& tokenizer = config.text.tokenizer;
  if (!tokenizer.empty()) {
    if (is_file(folder / tokenizer)) return {};
    return invalid_argument("tokenizer: the model folder has no file '" + tokenizer + "'");
  }
  for (const std::string_view known : {"tokenizer.json", "vocab.txt"}) {
    if (tokenizer.empty() && is_file(folder / known)) tokenizer = known;
  }
  return {};
}

// The version folders, ascending.
Result<std::vector<VersionFolder>> list_versions(const fs::path& folder) {
  CORTEX_ASSIGN_OR_RETURN(const auto names, folder_names(folder, kVersionsMax));
  std::vector<VersionFolder> out;
  for (const std::string& name : names) {
    if (const auto number = version_number(name)) out.push_back({*number, folder / name});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.version < b.version;
  });
  return out;
}

// Reads one folder step by step; the first step that fails ends it.
class FolderReading {
 public:
  FolderReading(const fs::path& path, const std::string* override_json)
      : override_json_(override_json) {
    folder_.path = path;
    folder_.name = path.filename().string();
    folder_.config.name = folder_.name;
  }

  ModelFolder run() {
    folder_.fault = read();
    return std::move(folder_);
  }

 private:
  Status read() {
    CORTEX_RETURN_IF_ERROR(read_versions());
    CORTEX_RETURN_IF_ERROR(read_configuration());
    CORTEX_RETURN_IF_ERROR(check_versions());
    CORTEX_RETURN_IF_ERROR(find_backend(folder_.versions.back(), folder_.config));
    return find_tokenizer(folder_.path, folder_.config);
  }

  Status read_versions() {
    CORTEX_ASSIGN_OR_RETURN(folder_.versions, list_versions(folder_.path));
    Fingerprint above;
    above.add_folder(folder_.path, 0);
    if (override_json_ != nullptr) above.add(*override_json_);
    for (VersionFolder& version : folder_.versions) {
      Fingerprint all = above;
      all.add_folder(version.path, kVersionDepth);
      version.fingerprint = all.value();
    }
    return {};
  }

  Status read_configuration() {
    auto text = read_config(folder_.path);
    if (override_json_ != nullptr) text = apply_override(*override_json_, text);
    CORTEX_RETURN_IF_ERROR(text.status());
    folder_.config = std::move(text->config);
    folder_.without_effect = std::move(text->without_effect);
    const std::string said = std::exchange(folder_.config.name, folder_.name);
    if (said.empty() || said == folder_.name) return {};
    return invalid_argument(
        "unexpected directory name '" + folder_.name + "' for model '" + said +
        "', directory name must equal model name"
    );
  }

  Status check_versions() {
    if (folder_.versions.empty()) {
      return invalid_argument("no version folder: the model file belongs into a folder such as 1/");
    }
    if (select_versions(folder_.config, version_numbers()).empty()) {
      return invalid_argument("no version folder is one that the version policy names");
    }
    return {};
  }

  std::vector<std::int64_t> version_numbers() const {
    std::vector<std::int64_t> numbers;
    for (const VersionFolder& version : folder_.versions) numbers.push_back(version.version);
    return numbers;
  }

  const std::string* override_json_;
  ModelFolder folder_;
};

// The name that the store has wins over the one in the file: the file came with the artifacts.
Status read_stored_version(const std::string& name, VersionFolder& version) {
  CORTEX_ASSIGN_OR_RETURN(version.fingerprint, stored_fingerprint(version.path));
  CORTEX_ASSIGN_OR_RETURN(ConfigText text, read_config(version.path));
  text.config.name = name;
  CORTEX_RETURN_IF_ERROR(find_backend(version, text.config));
  CORTEX_RETURN_IF_ERROR(find_tokenizer(version.path, text.config));
  version.config = std::move(text.config);
  return {};
}

// One bad version of a stored model leaves the others alone.
ModelFolder read_stored_folder(const fs::path& path, FolderLocks* locks) {
  ModelFolder out;
  out.name = path.filename().string();
  out.path = path;
  out.stored = true;
  out.config.name = out.name;
  out.config.version_policy = VersionPolicy::kAll;
  auto versions = list_versions(path);
  if (!versions.ok()) {
    // It goes with its last version.
    if (is_there(path)) out.fault = versions.status();
    return out;
  }
  for (VersionFolder& version : *versions) {
    std::optional<FolderLocks::Reading> reading;
    if (locks != nullptr) reading.emplace(*locks, version.path);
    if (!is_there(version.path)) continue;
    version.fault = read_stored_version(out.name, version);
    out.versions.push_back(std::move(version));
  }
  return out;
}

const std::string* find_override(const ConfigOverrides& overrides, const std::string& name) {
  const auto found = overrides.find(name);
  return found == overrides.end() ? nullptr : &found->second;
}

// Every repository has its own way to read the folder of a model.
using ReadFolder = std::function<ModelFolder(const fs::path& folder)>;

struct Repository {
  const fs::path& path;
  ReadFolder read;
  bool is_stored = false;  // gives way to every other one
};

void add_repository(
    const Repository& repository, const std::set<std::string>& names, RepositorySnapshot& out
) {
  for (const std::string& name : names) {
    if (name.front() == '.') continue;
    if (!is_model_name(name)) {
      out.notes.push_back(
          "'" + (repository.path / name).string() + "' is left out: not a model name"
      );
      continue;
    }
    const auto other = out.models.find(name);
    if (other != out.models.end() && repository.is_stored) {
      other->second.stored_fault = failed_precondition(
          "the model folder '" + other->second.path.string() +
          "' has this name and is served; what is registered under it is not"
      );
      continue;
    }
    if (other != out.models.end()) {
      other->second.fault = invalid_argument(
          "the name is in two repositories: '" + other->second.path.string() + "' and '" +
          (repository.path / name).string() + "'"
      );
      continue;
    }
    out.models.emplace(name, repository.read(repository.path / name));
  }
}

Status add_all(const Repository& repository, RepositorySnapshot& out) {
  const auto names = folder_names(repository.path, kModelsMax);
  if (!names.ok()) return names.status().with_prefix("model repository: ");
  add_repository(repository, *names, out);
  return {};
}

void add_one(const Repository& repository, const std::string& name, RepositorySnapshot& out) {
  std::error_code error;
  if (fs::is_directory(repository.path / name, error)) add_repository(repository, {name}, out);
}

ReadFolder reader(const ConfigOverrides& overrides) {
  return [&overrides](const fs::path& folder) {
    return read_model_folder(folder, find_override(overrides, folder.filename().string()));
  };
}

Repository stored_repository(const StoredRepository& stored) {
  const auto read = [locks = stored.locks](const fs::path& folder) {
    return read_stored_folder(folder, locks);
  };
  return {stored.folder, read, true};
}

}  // namespace

bool is_model_file(std::string_view filename) {
  return std::ranges::any_of(kKnownFiles, [filename](const KnownFile& known) {
    return known.filename == filename;
  });
}

Result<std::uint64_t> stored_fingerprint(const fs::path& version_folder) {
  CORTEX_ASSIGN_OR_RETURN(const std::string manifest, read_text(version_folder / kManifestFile));
  Fingerprint fingerprint;
  fingerprint.add(manifest);
  return fingerprint.value();
}

ModelFolder read_model_folder(const fs::path& folder, const std::string* override_json) {
  // "models/minilm/" is called minilm, too.
  const fs::path clean = folder.filename().empty() ? folder.parent_path() : folder;
  return FolderReading(clean, override_json).run();
}

Result<RepositorySnapshot> read_repositories(
    std::span<const fs::path> repositories,
    const ConfigOverrides& overrides,
    const StoredRepository& stored
) {
  RepositorySnapshot out;
  for (const fs::path& repository : repositories) {
    CORTEX_RETURN_IF_ERROR(add_all({repository, reader(overrides)}, out));
  }
  if (!stored.folder.empty()) CORTEX_RETURN_IF_ERROR(add_all(stored_repository(stored), out));
  return out;
}

std::optional<ModelFolder> read_model(
    std::span<const fs::path> repositories,
    const std::string& name,
    const ConfigOverrides& overrides,
    const StoredRepository& stored
) {
  // The name may come from a client: it must not lead out of the repositories.
  if (!is_model_name(name) || name.find('/') != std::string::npos) return std::nullopt;
  RepositorySnapshot out;
  for (const fs::path& repository : repositories) {
    add_one({repository, reader(overrides)}, name, out);
  }
  if (!stored.folder.empty()) add_one(stored_repository(stored), name, out);
  if (out.models.empty()) return std::nullopt;
  return std::move(out.models.begin()->second);
}

}  // namespace cortex::registry
