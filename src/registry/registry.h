// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "registry/alias_book.h"
#include "registry/folder_locks.h"
#include "registry/handle.h"
#include "registry/version_state.h"
#include "request/model_config.h"
#include "request/model_facts.h"
#include "request/model_reference.h"
#include "request/servable.h"
#include "request/signature.h"

namespace cortex::registry {

// What loading a version gave. Destroyed on the registry's thread alone.
struct LoadedModel {
  ModelConfig config;  // completed: what the file left open is filled in
  ModelSignature signature;
  std::string platform;  // "onnxruntime_onnx"
  ModelFacts facts;
  std::unique_ptr<Servable> servable;
  // That it added in its probation, all of it (a draft model, too); without one what the engine
  // counts, weights and memory; 0: not known.
  std::uint64_t memory_bytes = 0;
};

// Turns a version folder into a servable: opens the engine, builds the lane, runs the warm-up.
// Injected by app, so that this room knows no engine. Blocks; called on loader threads.
using Loader = std::function<Result<LoadedModel>(
    const ModelConfig& config, const std::filesystem::path& version_folder, std::int64_t version
)>;

class Probation;

enum class ControlMode { kNone, kPoll, kExplicit };

struct RegistryOptions {
  std::vector<std::filesystem::path> repositories;
  // Model folders that were made from the store: always followed, whatever the mode. Empty: none.
  std::filesystem::path stored;
  std::string default_alias;  // what a plain name means, where the model has it
  ControlMode mode = ControlMode::kNone;
  // Explicit mode: loaded at start; "*" is all. One without a folder is named in the log and in the
  // index, and is loaded once it has one.
  std::vector<std::string> startup_models;
  std::size_t loader_threads = 1;
  std::chrono::milliseconds drain_deadline{30'000};
  std::chrono::milliseconds poll_period{15'000};  // poll mode: how often the folders are read again
  Probation* probation = nullptr;  // of every version before it is loaded; outlives it; null: none
  // Both are called on the registry's thread and must be quick. `on_load`: after every load, with
  // what it took and what came of it. `on_change`: after every change that readers can see, but not
  // once drain() returned.
  std::function<void(const ModelIdentity&, Duration, const Status&)> on_load;
  std::function<void()> on_change;
};

// One line of the index.
struct IndexEntry {
  std::string name;
  std::string version;  // empty when no version is known
  VersionState state = VersionState::kUnavailable;
  // Why it is not ready, and what else is to be known of it; may be empty.
  std::string reason;
  std::uint64_t memory_bytes = 0;  // of a version that is ready: LoadedModel::memory_bytes
  // It failed, its folder cannot be used, or it is wanted and has none; one that never was wanted
  // is not.
  bool broken = false;
};

// What a load request may change for this load: as Triton's load API.
struct LoadOverride {
  std::optional<std::string> config_json;  // a model configuration in Triton's JSON form
};

// What the store says of a model, beside its folders.
struct StoredFacts {
  // To versions; 0: the alias stands, and may serve none of those that it pointed to. "/Production"
  // is a lifecycle stage, which no alias can be called.
  std::map<std::string, std::int64_t> aliases;
  std::map<std::int64_t, std::string> not_served = {};  // versions without a folder here, and why
  // What these aliases pointed to before; of use after a start, when nobody saw it serve.
  std::map<std::string, std::int64_t> previous = {};
  // What the index says of versions beside their state; they serve where they are ready.
  std::map<std::int64_t, std::string> notes = {};
  // The versions that these aliases may serve; others may serve every one.
  std::map<std::string, std::set<std::int64_t>> permitted = {};
};

// Counts of what happened, for the probe.
struct RegistryCounts {
  std::uint64_t loads = 0;
  std::uint64_t load_failures = 0;
  std::uint64_t unloads = 0;
};

// Which models and versions there are, and which of them serve. Desired state comes from model
// folders and load requests; one thread brings the loaded state to it: loads beside, warms up,
// swaps, drains. A version that fails to load is quarantined with its reason and never stops the
// server or an older version. Readers see an immutable snapshot and never wait. Thread-safe.
class Registry {
 public:
  Registry(RegistryOptions options, Loader loader, const Clock& clock);
  // Drains and unloads everything. A lease that is still out keeps its version alive, so this waits
  // for it, also past the drain deadline, and says so in the log: nothing is ever destroyed under
  // use.
  ~Registry();

  // Reads the folders and starts the thread. Faults of single models are quarantined; only a
  // repository that is not a readable folder is an error.
  [[nodiscard]] Status start();
  // True once every model wanted at start has either loaded or failed.
  [[nodiscard]] bool settled() const;

  // A lease on the version that `reference` means: version > alias > default alias > newest ready
  // one. An alias that points to a version that is not ready gives the one that it served before.
  // kNotFound for a name, version or alias that is not known, kUnavailable for one that is known
  // and not ready, with its reason.
  [[nodiscard]] Result<Handle> acquire(const ModelReference& reference) const;
  // A lease for another attempt after version `failed` failed: what the alias that the reference
  // means serves now or served before; of a name without an alias the newest ready version below.
  // kNotFound when there is none, and where the reference names a version.
  [[nodiscard]] Result<Handle> acquire_previous(
      const ModelReference& reference, const std::string& failed
  ) const;

  [[nodiscard]] std::vector<IndexEntry> index() const;
  // Of one model; empty when it is not known.
  [[nodiscard]] std::vector<IndexEntry> index(const std::string& name) const;
  [[nodiscard]] std::map<std::string, AliasState> aliases(const std::string& name) const;
  // Why the folders of a model cannot be used as they are now, or those made from the store give
  // way to others; whatever of it goes on serving.
  [[nodiscard]] Status fault(const std::string& name) const;
  // Names that have at least one version ready.
  [[nodiscard]] std::vector<std::string> ready_models() const;

  // Wanted from now on, or no longer. `done` is called once on the registry's thread with the
  // outcome; unless the control mode is kExplicit it is refused at once with kFailedPrecondition. A
  // stored model is served as its aliases say: a load lets versions in quarantine try again, an
  // unload and another configuration are kFailedPrecondition. A load is done when the version
  // serves or has failed. An unload is done, as Triton's, when nobody gets a new lease: those that
  // are out keep the version, which the index shows as draining, until the last one ends.
  void load(const std::string& name, LoadOverride override_, std::function<void(Status)> done);
  void unload(const std::string& name, std::function<void(Status)> done);

  // Reads the folders again (SIGHUP, poll): new versions are loaded, vanished ones drained.
  void rescan();
  // Reads the folders of one model again.
  void rescan_model(const std::string& name);
  // What the store says of these models from now on, in the place of what it said before. Readers
  // see all of it at once when this returns; it waits for no folder and no load. A version that an
  // alias serves stays loaded, also without its folder, until the alias serves another one.
  void set_stored(std::map<std::string, StoredFacts> changed);

  // Of the folders in options.stored: whoever takes one of them away, or puts another one in its
  // place, does it under change().
  [[nodiscard]] FolderLocks& folder_locks();

  // Refuses further leases, waits for the ones that are out until the drain deadline, unloads.
  // Idempotent.
  void drain();

  [[nodiscard]] RegistryCounts counts() const;

 private:
  class Reconciler;
  std::unique_ptr<Reconciler> reconciler_;
};

}  // namespace cortex::registry
