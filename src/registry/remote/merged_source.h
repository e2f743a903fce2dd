// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>

#include "registry/remote/remote_models.h"
#include "registry/stored/source.h"

namespace cortex::registry {

// This server's own models and those that it follows on another one, as one source. A name that
// both have is this server's; the other's waits until that is gone.
class MergedSource final : public Source {
 public:
  // Both outlive it, and keep their files in one store.
  MergedSource(Source& own, RemoteModels& remote) : own_(own), remote_(remote) {}

  [[nodiscard]] Result<SourceChanges> changes() override;
  [[nodiscard]] Result<std::vector<SourceFile>> files(const std::string& origin) override;
  [[nodiscard]] Result<std::string> read(const SourceFile& file, std::size_t limit) override;
  [[nodiscard]] Status fetch(const SourceFile& file, const std::filesystem::path& to) override;

 private:
  Source& own_;
  RemoteModels& remote_;
  // The caller's of changes().
  std::set<std::string> own_names_;
  std::map<std::string, SourceModel> remote_models_;
};

}  // namespace cortex::registry
