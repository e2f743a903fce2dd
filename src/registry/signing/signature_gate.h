// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "base/status.h"
#include "registry/catalog/serving_view.h"
#include "registry/signing/signature_policy.h"
#include "registry/signing/signed_manifest.h"
#include "registry/signing/signing_keys.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::registry {

inline constexpr std::size_t kStoredBundleBytesMax = 1 << 20;

// Where the aliases of a model lead once their policies were asked.
struct GatedAliases {
  // To versions. 0: it stands, and may serve nothing; nothing else may answer in its place.
  std::map<std::string, std::int64_t> aliases;
  // What they may serve, of aliases that require signatures: where they lead and what is known to
  // be good of where they led before; nothing where they lead to 0.
  std::map<std::string, std::set<std::int64_t>> permitted;
  std::map<std::int64_t, std::string> notes;  // versions with an alias that is not content, and why
};

struct SignatureCounts {
  std::uint64_t verified = 0;  // questions of aliases with a policy, by their answers
  std::uint64_t warned = 0;
  std::uint64_t refused = 0;
};

// Stands between the registry's aliases and what serves: a version's signature (the file model.sig
// at the top of its artifacts) is examined at the first look, when the version is loaded or an
// alias with a policy points to it, and what was seen is bound to the version for ever: its files,
// its bundle, whether they fit. A signed version whose artifacts are changed later is not loaded
// any more; an unsigned one stays unsigned. Who signed is asked again whenever it matters, so
// taking a key away takes effect with the next start.
//
// Functions block on the database and, at the first look, on the artifact store. Thread-safe.
class SignatureGate {
 public:
  // Store and artifacts outlive it.
  SignatureGate(
      store::Store& store,
      store::ArtifactStore& artifacts,
      std::string workspace,
      TrustedKeys trusted
  );

  // Asked with all files of a version, digests included, before they are loaded.
  // kFailedPrecondition: they are not those that the version had when its signature was examined.
  [[nodiscard]] Status admit(
      std::int64_t identity, const std::string& location, std::span<const ModelFile> files
  );

  // Asks the policies of a model's aliases. kUnavailable and the like: it could not be found out,
  // ask again.
  [[nodiscard]] Result<GatedAliases> ask(
      const ServedModel& model, const std::map<std::string, AliasPolicy>& policies
  );

  [[nodiscard]] SignatureCounts counts() const;

 private:
  struct Examined;

  [[nodiscard]] Status find(
      store::Transaction& transaction,
      std::int64_t identity,
      const std::string& location,
      std::optional<Examined>& found
  ) const;
  [[nodiscard]] Result<Examined> look(std::span<const ModelFile> files);
  [[nodiscard]] Result<Examined> examine(
      std::int64_t identity, const std::string& location, std::span<const ModelFile> files
  );
  [[nodiscard]] Result<Examined> find_or_examine(
      std::int64_t identity, const std::string& location
  );
  // kFailedPrecondition: its signature is not good, and why. Other codes: not known.
  [[nodiscard]] Status check(const ServedModel& model, std::int64_t version);
  [[nodiscard]] Result<std::int64_t> fall_back(
      const ServedModel& model, const AliasPolicy& policy, std::int64_t target
  );
  [[nodiscard]] Result<std::set<std::int64_t>> permitted(
      const ServedModel& model, const std::string& alias, std::int64_t leads, std::int64_t allowed
  );
  [[nodiscard]] Result<std::int64_t> ask_one(
      const ServedModel& model,
      const std::string& alias,
      const AliasPolicy& before,
      GatedAliases& out
  );
  [[nodiscard]] Status keep(
      const ServedModel& model,
      const std::string& alias,
      const AliasPolicy& before,
      const AliasPolicy& now
  );
  void count(const AliasPolicy& outcome);

  store::Store& store_;
  store::ArtifactStore& artifacts_;
  const std::string workspace_;
  const TrustedKeys trusted_;
  std::atomic<std::uint64_t> verified_{0};
  std::atomic<std::uint64_t> warned_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace cortex::registry
