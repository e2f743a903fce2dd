// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "registry/stored/source.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::registry {

// The models of one workspace of this server's own store.
class StoreSource final : public Source {
 public:
  // Both outlive it.
  StoreSource(store::Store& store, store::ArtifactStore& artifacts, std::string workspace);

  [[nodiscard]] Result<SourceChanges> changes() override;
  [[nodiscard]] Result<std::vector<SourceFile>> files(const std::string& origin) override;
  [[nodiscard]] Result<std::string> read(const SourceFile& file, std::size_t limit) override;
  [[nodiscard]] Status fetch(const SourceFile& file, const std::filesystem::path& to) override;

 private:
  [[nodiscard]] Result<SourceChanges> everything();

  store::Store& store_;
  store::ArtifactStore& artifacts_;
  const std::string workspace_;
  std::optional<std::int64_t> revision_;  // of the last changes() that succeeded; its caller's
};

}  // namespace cortex::registry
