// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/store_source.h"

#include <set>
#include <span>
#include <utility>

#include "base/log.h"
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

SourceModel to_source_model(const ServedModel& model, GatedAliases gated) {
  SourceModel out{model.name, {}, std::move(gated.aliases), model.previous};
  out.notes = std::move(gated.notes);
  out.permitted = std::move(gated.permitted);
  for (const ServedVersion& version : model.versions) {
    out.versions.push_back({version.version, origin_of(model, version)});
    const bool promoted =
        version.stage == LifecycleStage::kProduction || version.stage == LifecycleStage::kStaging;
    if (promoted) out.aliases["/" + std::string(stage_name(version.stage))] = version.version;
  }
  return out;
}

// What is loaded is what was examined.
Status admit(SignatureGate& gate, const std::string& origin, std::span<const SourceFile> files) {
  std::vector<ModelFile> seen;
  for (const SourceFile& file : files) seen.push_back({file.path, file.size, file.digest});
  return gate.admit(std::stoll(origin), origin.substr(origin.find(' ') + 1), seen);
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
    store::Store& store, store::ArtifactStore& artifacts, std::string workspace, SignatureGate* gate
)
    : store_(store), artifacts_(artifacts), workspace_(std::move(workspace)), gate_(gate) {}

Result<SourceChanges> StoreSource::changes() {
  if (!revision_) return everything();
  SourceChanges out;
  std::vector<ServedModel> models;
  std::vector<store::Change> changed;
  bool missed = false;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out = {};
    models.clear();
    CORTEX_ASSIGN_OR_RETURN(missed, store::changes_were_trimmed(transaction, *revision_));
    CORTEX_ASSIGN_OR_RETURN(changed, store::changes_after(transaction, *revision_, kChangesMax));
    missed = missed || changed.size() == kChangesMax;
    if (missed) return {};
    std::set<std::string> names = changed_names(changed, workspace_);
    names.insert(unsure_.begin(), unsure_.end());
    for (const std::string& name : names) {
      CORTEX_ASSIGN_OR_RETURN(const auto model, serving_view(transaction, workspace_, name));
      if (model) {
        models.push_back(*model);
      } else {
        out.gone.push_back(name);
      }
    }
    return {};
  }));
  if (missed) return everything();
  CORTEX_ASSIGN_OR_RETURN(const PoliciesByModel policies, read_policies());
  unsure_.clear();
  for (const ServedModel& model : models) {
    auto source = to_source(model, policies);
    // It stays as it is, and is asked for again; the others go on.
    if (!source.ok()) {
      log::warning(
          "the signatures of a model cannot be examined",
          {{"model", model.name}, {"reason", source.status().to_string()}}
      );
      unsure_.insert(model.name);
    } else {
      out.models.push_back(std::move(*source));
    }
  }
  out.again = !unsure_.empty();
  if (!changed.empty()) revision_ = changed.back().revision;
  return out;
}

// The revision is read first: what comes between is seen twice rather than never.
Result<SourceChanges> StoreSource::everything() {
  const std::int64_t revision = store_.revision();
  SourceChanges out;
  out.whole = true;
  std::vector<ServedModel> models;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(models, serving_view(transaction, workspace_));
    return {};
  }));
  CORTEX_ASSIGN_OR_RETURN(const PoliciesByModel policies, read_policies());
  for (const ServedModel& model : models) {
    CORTEX_ASSIGN_OR_RETURN(SourceModel source, to_source(model, policies));
    out.models.push_back(std::move(source));
  }
  unsure_.clear();
  revision_ = revision;
  return out;
}

// A policy that was set meanwhile is in the feed behind what was read: it is asked next time.
Result<PoliciesByModel> StoreSource::read_policies() {
  PoliciesByModel policies;
  if (gate_ == nullptr) return policies;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(policies, signature_policies(transaction, workspace_));
    return {};
  }));
  return policies;
}

Result<SourceModel> StoreSource::to_source(
    const ServedModel& model, const PoliciesByModel& policies
) {
  GatedAliases gated{model.aliases, {}, {}};
  const auto found = policies.find(model.identity);
  if (found != policies.end()) {
    CORTEX_ASSIGN_OR_RETURN(gated, gate_->ask(model, found->second));
  }
  return to_source_model(model, std::move(gated));
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
  if (out.size() > kVersionFilesMax) {
    return resource_exhausted("more than " + std::to_string(kVersionFilesMax) + " files");
  }
  if (gate_ != nullptr) CORTEX_RETURN_IF_ERROR(admit(*gate_, origin, out));
  return out;
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
