// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/merged_source.h"

#include <utility>

#include "base/log.h"

namespace cortex::registry {

Result<SourceChanges> MergedSource::changes() {
  CORTEX_ASSIGN_OR_RETURN(SourceChanges out, own_.changes());
  SourceChanges remote = remote_.changes();
  // Of these the other server's word counts, unless this one has the name.
  std::set<std::string> touched(remote.gone.begin(), remote.gone.end());
  for (const std::string& name : remote.gone) remote_models_.erase(name);
  for (SourceModel& model : remote.models) {
    touched.insert(model.name);
    remote_models_[model.name] = std::move(model);
  }
  if (out.whole) {
    own_names_.clear();
    for (const auto& [name, model] : remote_models_) touched.insert(name);
  }
  for (const SourceModel& model : out.models) own_names_.insert(model.name);
  for (const std::string& name : std::exchange(out.gone, {})) {
    own_names_.erase(name);
    touched.insert(name);
  }
  for (const std::string& name : touched) {
    const auto found = remote_models_.find(name);
    if (own_names_.contains(name)) {
      if (found != remote_models_.end())
        log::warning(
            "a model of the remote registry is hidden by one of this server's", {{"model", name}}
        );
    } else if (found != remote_models_.end()) {
      out.models.push_back(found->second);
    } else {
      out.gone.push_back(name);
    }
  }
  return out;
}

Result<std::vector<SourceFile>> MergedSource::files(const std::string& origin) {
  return RemoteModels::owns(origin) ? remote_.files(origin) : own_.files(origin);
}

// A digest says it all.
Result<std::string> MergedSource::read(const SourceFile& file, std::size_t limit) {
  return own_.read(file, limit);
}

Status MergedSource::fetch(const SourceFile& file, const std::filesystem::path& to) {
  return own_.fetch(file, to);
}

}  // namespace cortex::registry
