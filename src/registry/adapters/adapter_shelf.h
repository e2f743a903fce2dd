// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "registry/adapters/adapter.h"
#include "registry/adapters/adapter_policy.h"
#include "registry/handle.h"
#include "request/model_reference.h"
#include "store/store.h"

namespace cortex::registry {

struct AdapterShelfOptions {
  std::filesystem::path folder;  // files are read below it alone; empty: none can be registered
  AdapterLimits limits;
  std::uint64_t file_bytes_max = std::uint64_t{4} << 30;
  std::vector<std::string> training_methods;  // that may be registered; empty: all
  std::chrono::milliseconds wait{10'000};     // of a request for an adapter that is not loaded yet
  std::size_t waiting_max = 1024;             // requests that wait so
};

// kFailed: the last attempt to load it, and nothing of it is loaded.
enum class AdapterPhase : std::uint8_t { kRegistered, kLoading, kLoaded, kFailed };

struct AdapterState {
  AdapterRecord record;
  AdapterPhase phase = AdapterPhase::kRegistered;
  Status failure;                 // of kFailed
  std::size_t memory_bytes = 0;   // over all loaded versions
  std::uint64_t uses = 0;         // requests, since the start
  std::int64_t last_used_at = 0;  // milliseconds since the epoch; 0: never
  std::int64_t loaded_at = 0;     // of kLoaded
  std::size_t in_use = 0;         // requests that hold it now
  std::size_t waiting = 0;        // requests that wait for it to be loaded
};

struct AdapterCounts {
  std::uint64_t loads = 0;
  std::uint64_t load_failures = 0;
  std::uint64_t unloads = 0;    // asked for
  std::uint64_t evictions = 0;  // gave way to another one
  std::uint64_t swaps = 0;      // one file for another under traffic
  std::uint64_t refusals = 0;   // requests that found no room, or waited too long
};

// What a request needs to run with an adapter.
struct AdapterLease {
  std::string identity;  // its name in the lane of the version
  float scale = 1;
  std::shared_ptr<const void> hold;  // it is not taken from the request while this lives
};

// The adapters of this server: which are registered, which are in the memory of which version.
//
// One that a request names is loaded when it is not; the request waits meanwhile, nobody else does.
// In each version at most `limits.adapters_max` are loaded: the one that was used least recently
// gives way; pinned ones and those in use stay. A file takes another's place under the same name
// without a gap: the new one is loaded first, requests inside keep the old one to their end. When a
// model is loaded again, or another version of it becomes the one that serves, what was loaded
// before is loaded there too.
//
// Registered adapters are kept in the store and follow its change feed; without one they last as
// long as the process. A file that is not the one that was registered is not loaded.
//
// Thread-safe. A thread "adapters-0" does all that takes time, one thing after another; "adapters"
// watches over waits and changes. `done` functions run on either, or on the caller's.
class AdapterShelf {
 public:
  using Acquire = std::function<Result<Handle>(const ModelReference&)>;
  using Done = std::function<void(Result<AdapterState>)>;
  using Lend = std::function<void(Result<AdapterLease>)>;

  // `models`: Registry::acquire. `store` may be null. All outlive it.
  AdapterShelf(
      AdapterShelfOptions options, Acquire models, store::Store* store, const Clock& clock
  );
  ~AdapterShelf();

  // Reads what is registered. Blocks on the store.
  [[nodiscard]] Status start();
  // Whoever waits gets kUnavailable; nothing is loaded any more. Idempotent.
  void stop();

  // Registers an adapter, or another file or other facts for one; with `load`, or where it is
  // pinned and its model serves, it is loaded too, and where that fails nothing has changed.
  // kInvalidArgument and kNotFound name the field at fault.
  void enroll(AdapterRecord adapter, bool load, Done done);
  // As enroll() with `load`, but kAlreadyExists where the name is taken.
  void enroll_new(AdapterRecord adapter, Done done);
  // Unloads it, and forgets it. kNotFound.
  void remove(const std::string& name, std::function<void(Status)> done);
  // Into the version that its model's name means now; nothing where it is there. kNotFound,
  // kResourceExhausted where no other one may give way.
  void load(const std::string& name, Done done);
  // Everywhere; nothing where it is not loaded. The next request that names it loads it again.
  void unload(const std::string& name, Done done);
  // `next` is loaded, in the place of `old` where there is no other; then `old` is unloaded. The
  // same name twice reads its file again. kNotFound, and then nothing has changed.
  void swap(const std::string& old, const std::string& next, Done done);

  // By name.
  [[nodiscard]] std::vector<AdapterState> list() const;
  [[nodiscard]] std::optional<AdapterState> find(const std::string& name) const;
  [[nodiscard]] AdapterCounts counts() const;
  [[nodiscard]] const AdapterLimits& limits() const;

  // The version that a reference means that may name an adapter behind its model's name, or be an
  // adapter's own name where no model has it. As Registry::acquire; kNotFound for an adapter that
  // is not registered over that model. Never blocks.
  [[nodiscard]] Result<Handle> acquire(const ModelReference& reference) const;
  // Lends the adapter that `reference` names to a request on the version of `handle`. Never blocks:
  // `done` is called at once where it is loaded, else later; after `deadline` or the bounded wait
  // with kUnavailable. REQUIRES: acquire() gave `handle` for the reference.
  void lend(const ModelReference& reference, const Handle& handle, TimePoint deadline, Lend done);

  // Which versions serve has changed. On the registry's thread, before a version ends.
  void models_changed();
  // The store's feed has news.
  void catalog_changed();

 private:
  struct Inner;
  const std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::registry
