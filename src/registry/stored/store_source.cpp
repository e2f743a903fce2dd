// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/store_source.h"

#include <algorithm>
#include <set>
#include <utility>

#include "registry/catalog/authorship.h"
#include "registry/catalog/serving_view.h"
#include "store/artifact_index.h"

namespace cortex::registry {
namespace {

// More than this at once is read as everything.
constexpr std::size_t kChangesMax = 256;
// Of one model; older ones are served when an alias or a stage means them.
constexpr std::size_t kNewestMax = 1'000;

// The identity tells a model from an earlier one of the same name.
std::string origin_of(const ServedModel& model, const ServedVersion& version) {
  return std::to_string(model.identity) + " " + version.location;
}

void keep_newest(std::vector<SourceVersion>& versions, const SourceModel& model) {
  if (versions.size() <= kNewestMax) return;
  const std::int64_t first = versions[versions.size() - kNewestMax].number;
  std::erase_if(versions, [&](const SourceVersion& version) {
    return version.number < first &&
           std::none_of(
               model.aliases.begin(),
               model.aliases.end(),
               [&](const auto& alias) { return alias.second == version.number; }
           );
  });
}

SourceModel to_source(const ServedModel& model) {
  SourceModel out{model.name, {}, model.aliases};
  for (const ServedVersion& version : model.versions) {
    out.versions.push_back({version.version, origin_of(model, version)});
    const bool promoted =
        version.stage == LifecycleStage::kProduction || version.stage == LifecycleStage::kStaging;
    if (promoted) out.aliases["/" + std::string(stage_name(version.stage))] = version.version;
  }
  keep_newest(out.versions, out);
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
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out = {};
    CORTEX_ASSIGN_OR_RETURN(changed, store::changes_after(transaction, *revision_, kChangesMax));
    if (changed.size() == kChangesMax) return {};
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
  if (changed.size() == kChangesMax) return everything();
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
