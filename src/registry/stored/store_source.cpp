// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/store_source.h"

#include <set>
#include <utility>

#include "registry/catalog/authorship.h"
#include "registry/catalog/serving_view.h"
#include "store/artifact_index.h"
#include "store/change_trim.h"

namespace cortex::registry {
namespace {

// More than this at once is read as everything.
constexpr std::size_t kChangesMax = 256;
// The identity tells a model from an earlier one of the same name.
std::string origin_of(const ServedModel& model, const ServedVersion& version) {
  return std::to_string(model.identity) + " " + version.location;
}

SourceModel to_source(const ServedModel& model) {
  SourceModel out{model.name, {}, model.aliases, model.previous};
  for (const ServedVersion& version : model.versions) {
    out.versions.push_back({version.version, origin_of(model, version)});
    const bool promoted =
        version.stage == LifecycleStage::kProduction || version.stage == LifecycleStage::kStaging;
    if (promoted) out.aliases["/" + std::string(stage_name(version.stage))] = version.version;
  }
  return out;
}

// Names of the workspace's models among the keys of the change feed.
std::set<std::string> changed_names(
    const std::vector<store::Change>& changes, const std::string& workspace
) {
  const std::string prefix = change_key(workspace, "");
  std::set<std::string> out;
  for (const store::Change& change : changes) {
    if (change.kind != "model" || !change.key.starts_with(prefix)) continue;
    std::string name = change.key.substr(prefix.size());
    if (name.find('/') == std::string::npos) out.insert(std::move(name));
  }
  return out;
}

}  // namespace

StoreSource::StoreSource(
    store::Store& store, store::ArtifactStore& artifacts, std::string workspace
)
    : store_(store), artifacts_(artifacts), workspace_(std::move(workspace)) {}

Result<SourceChanges> StoreSource::changes() {
  if (!revision_) return everything();
  SourceChanges out;
  std::vector<store::Change> changed;
  bool missed = false;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out = {};
    CORTEX_ASSIGN_OR_RETURN(missed, store::changes_were_trimmed(transaction, *revision_));
    CORTEX_ASSIGN_OR_RETURN(changed, store::changes_after(transaction, *revision_, kChangesMax));
    missed = missed || changed.size() == kChangesMax;
    if (missed) return {};
    for (const std::string& name : changed_names(changed, workspace_)) {
      CORTEX_ASSIGN_OR_RETURN(const auto model, serving_view(transaction, workspace_, name));
      if (model) {
        out.models.push_back(to_source(*model));
      } else {
        out.gone.push_back(name);
      }
    }
    return {};
  }));
  if (missed) return everything();
  if (!changed.empty()) revision_ = changed.back().revision;
  return out;
}

// The revision is read first: what comes between is seen twice rather than never.
Result<SourceChanges> StoreSource::everything() {
  const std::int64_t revision = store_.revision();
  SourceChanges out;
  out.whole = true;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out.models.clear();
    CORTEX_ASSIGN_OR_RETURN(const auto models, serving_view(transaction, workspace_));
    for (const ServedModel& model : models) out.models.push_back(to_source(model));
    return {};
  }));
  revision_ = revision;
  return out;
}

Result<std::vector<SourceFile>> StoreSource::files(const std::string& origin) {
  const std::string location = origin.substr(origin.find(' ') + 1);
  std::vector<SourceFile> out;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out.clear();
    CORTEX_ASSIGN_OR_RETURN(
        const auto entries,
        store::walk_artifacts(transaction, workspace_, location, kVersionFilesMax + 1)
    );
    for (const store::ArtifactEntry& entry : entries) {
      if (entry.is_folder || !entry.path.starts_with(location + "/")) continue;
      out.push_back({entry.path.substr(location.size() + 1), entry.digest, entry.size});
    }
    return {};
  }));
  if (out.size() <= kVersionFilesMax) return out;
  return resource_exhausted("more than " + std::to_string(kVersionFilesMax) + " files");
}

Result<std::string> StoreSource::read(const SourceFile& file, std::size_t limit) {
  if (file.size > limit) {
    return resource_exhausted(
        "'" + file.path + "' is longer than " + std::to_string(limit) + " bytes"
    );
  }
  CORTEX_ASSIGN_OR_RETURN(const auto reader, artifacts_.open(file.digest));
  std::string out(file.size, '\0');
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t length, reader->read(0, std::as_writable_bytes(std::span<char>(out)))
  );
  if (length != out.size()) {
    return Status(Code::kDataLoss, "'" + file.path + "' is not what its digest says");
  }
  return out;
}

Status StoreSource::fetch(const SourceFile& file, const std::filesystem::path& to) {
  return artifacts_.materialise(file.digest, to);
}

}  // namespace cortex::registry
