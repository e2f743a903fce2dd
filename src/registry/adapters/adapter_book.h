// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "registry/adapters/adapter_shelf.h"

namespace cortex::registry {

// A request that waits for an adapter.
struct AdapterWaiter {
  TimePoint until{};
  std::optional<float> scale;  // that it named
  AdapterShelf::Lend done;
};

// An adapter in the memory of a version, or on its way there.
struct AdapterResidence {
  std::string adapter;
  ModelIdentity model;
  const Servable* servable = nullptr;  // names the load of the version; never called through
  AdapterPhase phase = AdapterPhase::kLoading;
  std::string identity;  // what it is called there; of kLoaded
  std::size_t bytes = 0;
  TimePoint last_used{};
  std::int64_t loaded_at = 0;
  std::shared_ptr<std::atomic<std::size_t>> held = std::make_shared<std::atomic<std::size_t>>(0);
  Status failure;
  TimePoint again_at{};  // of kFailed: requests are refused until then
  std::vector<AdapterWaiter> waiters;
};

// What is registered, and what of it.
struct AdapterEntry {
  AdapterRecord record;
  bool wanted = false;    // was loaded: goes along when its model is loaded again
  bool put_away = false;  // somebody unloaded it: that it is pinned does not bring it back
  std::uint64_t uses = 0;
  std::int64_t last_used_at = 0;
};

// No longer to be named, and in memory until no request holds it.
struct RetiredAdapter {
  std::string identity;
  ModelIdentity model;
  const Servable* servable = nullptr;
  std::shared_ptr<std::atomic<std::size_t>> held;
};

// The books of the shelf. No thread, no file, no clock. Thread: its owner's lock.
class AdapterBook {
 public:
  std::map<std::string, AdapterEntry> entries;
  std::vector<AdapterResidence> residences;
  std::vector<RetiredAdapter> retired;

  [[nodiscard]] AdapterEntry* find(const std::string& name);
  [[nodiscard]] AdapterResidence* find(const std::string& name, const Servable* servable);
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] AdapterState state_of(const AdapterEntry& entry) const;

  // What may give way to `adapter` on `servable`, as make_room() wants it, and which residence each
  // is. `also_going` leaves, too, as soon as it is there.
  struct Places {
    std::vector<AdapterPlace> places;
    std::vector<std::size_t> residences;
  };
  [[nodiscard]] Places places(
      const std::string& adapter, const Servable* servable, const std::string& also_going
  ) const;

  // The adapter is loaded there as `identity`; what was there under its name retires. The waiters.
  [[nodiscard]] std::vector<AdapterWaiter> settle(AdapterResidence loaded);
  // Nothing of it is wanted or named any more. The waiters.
  [[nodiscard]] std::vector<AdapterWaiter> retire(const std::string& name);
  // Failures to load it are no longer held against it.
  void forgive(const std::string& name);
  // A residence that nothing waits for.
  void retire(std::size_t residence);
  // Retired adapters that nobody holds any more; they are no longer in the book. Those that are
  // loaded again meanwhile are forgotten.
  [[nodiscard]] std::vector<RetiredAdapter> take_released();
  // What lies in versions of which `there` says no. The waiters.
  [[nodiscard]] std::vector<AdapterWaiter> forget(
      const std::function<bool(const ModelIdentity&, const Servable*)>& there
  );
  // Waiters whose time is over at `now`; `next` becomes the earliest of the others.
  [[nodiscard]] std::vector<AdapterWaiter> expire(TimePoint now, TimePoint& next);
};

}  // namespace cortex::registry
