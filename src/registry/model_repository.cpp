// SPDX-License-Identifier: Apache-2.0
#include "registry/model_repository.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
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
constexpr auto kKnownFiles =
    std::to_array<KnownFile>({{"model.onnx", "onnx"}, {"model.synthetic", "synthetic"}});

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
  if (to.threads == 0) to.threads = from.threads;
  to.batching.pad_lengths = from.batching.pad_lengths;
  to.batching.allow_variance = from.batching.allow_variance;
  to.open.pad_lengths = from.open.pad_lengths;
  return parsed;
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
    CORTEX_RETURN_IF_ERROR(find_backend());
    return find_tokenizer();
  }

  Status read_versions() {
    CORTEX_ASSIGN_OR_RETURN(const auto names, folder_names(folder_.path, kVersionsMax));
    Fingerprint above;
    above.add_folder(folder_.path, 0);
    if (override_json_ != nullptr) above.add(*override_json_);
    for (const std::string& name : names) {
      const auto number = version_number(name);
      if (!number) continue;
      Fingerprint all = above;
      all.add_folder(folder_.path / name, kVersionDepth);
      folder_.versions.push_back({*number, folder_.path / name, all.value()});
    }
    std::sort(folder_.versions.begin(), folder_.versions.end(), [](const auto& a, const auto& b) {
      return a.version < b.version;
    });
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

  // Where the owner did not say it, the file in the newest version says which backend runs it.
  Status find_backend() {
    ModelConfig& config = folder_.config;
    if (!config.backend.empty()) return {};
    if (!config.default_filename.empty()) return backend_by_extension();
    for (const KnownFile& known : kKnownFiles) {
      if (!is_file(folder_.versions.back().path / known.filename)) continue;
      config.backend = known.backend;
      config.default_filename = known.filename;
      return {};
    }
    return invalid_argument(
        "no backend: the configuration names none, and version " +
        std::to_string(folder_.versions.back().version) +
        " holds neither model.onnx nor model.synthetic"
    );
  }

  Status backend_by_extension() {
    const fs::path extension = fs::path(folder_.config.default_filename).extension();
    for (const KnownFile& known : kKnownFiles) {
      if (extension == fs::path(known.filename).extension()) folder_.config.backend = known.backend;
    }
    if (!folder_.config.backend.empty()) return {};
    return invalid_argument(
        "no backend: the configuration names none for '" + folder_.config.default_filename + "'"
    );
  }

  Status find_tokenizer() {
    std::string& tokenizer = folder_.config.text.tokenizer;
    if (!tokenizer.empty()) {
      if (is_file(folder_.path / tokenizer)) return {};
      return invalid_argument("tokenizer: the model folder has no file '" + tokenizer + "'");
    }
    for (const std::string_view known : {"tokenizer.json", "vocab.txt"}) {
      if (tokenizer.empty() && is_file(folder_.path / known)) tokenizer = known;
    }
    return {};
  }

  const std::string* override_json_;
  ModelFolder folder_;
};

const std::string* find_override(const ConfigOverrides& overrides, const std::string& name) {
  const auto found = overrides.find(name);
  return found == overrides.end() ? nullptr : &found->second;
}

void add_repository(
    const fs::path& repository,
    const std::set<std::string>& names,
    const ConfigOverrides& overrides,
    RepositorySnapshot& out
) {
  for (const std::string& name : names) {
    if (name.front() == '.') continue;
    if (!is_model_name(name)) {
      out.notes.push_back("'" + (repository / name).string() + "' is left out: not a model name");
      continue;
    }
    if (const auto other = out.models.find(name); other != out.models.end()) {
      other->second.fault = invalid_argument(
          "the name is in two repositories: '" + other->second.path.string() + "' and '" +
          (repository / name).string() + "'"
      );
      continue;
    }
    out.models.emplace(name, read_model_folder(repository / name, find_override(overrides, name)));
  }
}

}  // namespace

ModelFolder read_model_folder(const fs::path& folder, const std::string* override_json) {
  // "models/minilm/" is called minilm, too.
  const fs::path clean = folder.filename().empty() ? folder.parent_path() : folder;
  return FolderReading(clean, override_json).run();
}

Result<RepositorySnapshot> read_repositories(
    std::span<const fs::path> repositories, const ConfigOverrides& overrides
) {
  RepositorySnapshot out;
  for (const fs::path& repository : repositories) {
    auto names = folder_names(repository, kModelsMax);
    if (!names.ok()) return names.status().with_prefix("model repository: ");
    add_repository(repository, *names, overrides, out);
  }
  return out;
}

std::optional<ModelFolder> read_model(
    std::span<const fs::path> repositories,
    const std::string& name,
    const ConfigOverrides& overrides
) {
  // The name may come from a client: it must not lead out of the repositories.
  if (!is_model_name(name) || name.find('/') != std::string::npos) return std::nullopt;
  RepositorySnapshot out;
  for (const fs::path& repository : repositories) {
    std::error_code error;
    if (fs::is_directory(repository / name, error))
      add_repository(repository, {name}, overrides, out);
  }
  if (out.models.empty()) return std::nullopt;
  return std::move(out.models.begin()->second);
}

}  // namespace cortex::registry
