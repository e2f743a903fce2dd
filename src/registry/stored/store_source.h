// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "registry/signing/signature_gate.h"
#include "registry/stored/source.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::registry {

// The models of one workspace of this server's own store.
class StoreSource final : public Source {
 public:
  // All outlive it; without a gate nobody asks for signatures.
  StoreSource(
      store::Store& store,
      store::ArtifactStore& artifacts,
      std::string workspace,
      SignatureGate* gate = nullptr
  );

  [[nodiscard]] Result<SourceChanges> changes() override;
  [[nodiscard]] Result<std::vector<SourceFile>> files(const std::string& origin) override;
  [[nodiscard]] Result<std::string> read(const SourceFile& file, std::size_t limit) override;
  [[nodiscard]] Status fetch(const SourceFile& file, const std::filesystem::path& to) override;

 private:
  [[nodiscard]] Result<SourceChanges> everything();
  // What the models are once the policies of their aliases were asked.
  [[nodiscard]] Result<SourceModel> to_source(
      const ServedModel& model, const PoliciesByModel& policies
  );
  [[nodiscard]] Result<PoliciesByModel> read_policies();

  store::Store& store_;
  store::ArtifactStore& artifacts_;
  const std::string workspace_;
  SignatureGate* const gate_;
  std::set<std::string> unsure_;          // models that a gate could not answer for; the caller's
  std::optional<std::int64_t> revision_;  // of the last changes() that succeeded; its caller's
};

}  // namespace cortex::registry
