// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/version_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "registry/stored/flat_yaml.h"
#include "registry/stored/mlmodel.h"
#include "store/artifact_index.h"

namespace cortex::frontend::registry_api {
namespace {

using Texts = std::map<std::string, std::string>;

// Of MLmodel: not the same for any two versions, and nothing that matters.
constexpr std::array<std::string_view, 6> kOwnNames = {
    "artifact_path", "model_id", "model_size_bytes", "model_uuid", "run_id", "utc_time_created"
};
constexpr std::string_view kSignature = "signature.";

Result<std::optional<store::Blob>> find_file(
    store::Transaction& transaction, const std::string& workspace, const std::string& path
) {
  CORTEX_ASSIGN_OR_RETURN(const auto entry, store::find_artifact(transaction, workspace, path));
  if (!entry || entry->is_folder) return std::optional<store::Blob>();
  return std::optional(store::Blob{entry->digest, entry->size});
}

Result<std::string> read_file(store::ArtifactStore& artifacts, const store::Blob& blob) {
  if (blob.size > registry::kMlModelBytesMax) {
    return invalid_argument(
        "is longer than " + std::to_string(registry::kMlModelBytesMax) + " bytes"
    );
  }
  CORTEX_ASSIGN_OR_RETURN(const auto reader, artifacts.open(blob.digest));
  std::string text(blob.size, '\0');
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t length, reader->read(0, std::as_writable_bytes(std::span<char>(text)))
  );
  if (length != text.size()) return Status(Code::kDataLoss, "a file is shorter than it was");
  return text;
}

// What one version's files say, flat.
struct Said {
  Texts signature;
  Texts config;
};

class Reader {
 public:
  Reader(store::ArtifactStore& artifacts, std::vector<std::string>& notes)
      : artifacts_(artifacts), notes_(notes) {}

  Result<Said> read(std::string_view side, const VersionFiles& files) {
    Said said;
    if (files.mlmodel) {
      CORTEX_ASSIGN_OR_RETURN(Texts texts, flat(std::string(side) + ": MLmodel", *files.mlmodel));
      add_mlmodel(std::move(texts), said);
    }
    if (files.model_yaml) {
      CORTEX_ASSIGN_OR_RETURN(
          Texts texts, flat(std::string(side) + ": model.yaml", *files.model_yaml)
      );
      for (auto& [name, value] : texts) said.config["model.yaml: " + name] = std::move(value);
    }
    if (files.config_pbtxt) said.config["config.pbtxt"] = "sha256:" + files.config_pbtxt->digest;
    return said;
  }

 private:
  // A file that says nothing we can read is noted; a store that fails is an error.
  Result<Texts> flat(const std::string& name, const store::Blob& blob) {
    auto text = read_file(artifacts_, blob);
    Status fault = text.status();
    if (fault.ok()) {
      auto texts = registry::flatten_yaml(*text);
      if (texts.ok()) return texts;
      fault = texts.status();
    }
    if (fault.code() != Code::kInvalidArgument) return fault;
    notes_.push_back(name + ": " + fault.text());
    return Texts();
  }

  static void add_mlmodel(Texts texts, Said& said) {
    for (auto& [name, value] : texts) {
      if (name.starts_with(kSignature)) {
        said.signature[name.substr(kSignature.size())] = std::move(value);
      } else if (std::find(kOwnNames.begin(), kOwnNames.end(), name) == kOwnNames.end()) {
        said.config["MLmodel: " + name] = std::move(value);
      }
    }
  }

  store::ArtifactStore& artifacts_;
  std::vector<std::string>& notes_;
};

}  // namespace

Result<VersionFiles> find_version_files(
    store::Transaction& transaction, const std::string& workspace, const std::string& location
) {
  VersionFiles files;
  if (location.empty()) return files;
  CORTEX_ASSIGN_OR_RETURN(files.mlmodel, find_file(transaction, workspace, location + "/MLmodel"));
  CORTEX_ASSIGN_OR_RETURN(
      files.model_yaml, find_file(transaction, workspace, location + "/model.yaml")
  );
  CORTEX_ASSIGN_OR_RETURN(
      files.config_pbtxt, find_file(transaction, workspace, location + "/config.pbtxt")
  );
  return files;
}

Result<FileDifference> compare_files(
    store::ArtifactStore& artifacts, const VersionFiles& left, const VersionFiles& right
) {
  FileDifference out;
  Reader reader(artifacts, out.notes);
  CORTEX_ASSIGN_OR_RETURN(const Said of_left, reader.read("left", left));
  CORTEX_ASSIGN_OR_RETURN(const Said of_right, reader.read("right", right));
  out.signature = registry::compare_texts(of_left.signature, of_right.signature);
  out.config = registry::compare_texts(of_left.config, of_right.config);
  return out;
}

}  // namespace cortex::frontend::registry_api
