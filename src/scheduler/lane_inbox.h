// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/sequence_controls.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "cache/named_prefixes.h"
#include "scheduler/lane_sequence.h"

namespace cortex::scheduler {

// What came for the lane's thread since it looked last. To be taken in in this order.
struct LaneNews {
  std::vector<SequenceArrival> arrivals;
  // A prefix that got a name, or the name that one lost.
  std::vector<std::pair<std::string, std::optional<PrefixArrival>>> prefixes;
  std::vector<std::shared_ptr<const NamedAdapter>> removed;
};

// Where other threads leave something for the lane's, and what they may see of adapters and named
// prefixes. The door bounds the arrivals. It outlives the lane where a stream still holds its wake
// function. Thread-safe.
class LaneInbox {
 public:
  // `store`: null where there is none.
  LaneInbox(cache::NamedPrefixLimits limits, std::shared_ptr<cache::PrefixStore> store)
      : store_(std::move(store)), names_(limits) {}

  // kNotFound: no such adapter; kUnavailable: the lane ends; and nothing taken.
  [[nodiscard]] Code leave(SequenceArrival& arrival, const std::string& adapter);
  void add_adapter(std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter);
  // With the prefixes that were named for it.
  bool remove_adapter(const std::string& name);

  // kNotFound for an adapter that is not there; else what NamedPrefixes::add() says.
  [[nodiscard]] Status add_prefix(backend::SequencePrefix prefix);
  bool remove_prefix(const std::string& name);
  // From the lane: so many tokens of it are in memory.
  void show_held(const std::string& name, std::size_t tokens);
  [[nodiscard]] std::vector<PrefixState> prefixes() const;

  void wake();
  void close();
  // Waits for news until `until`, not at all for one that has passed; what there is. False when the
  // lane ends.
  [[nodiscard]] bool take(TimePoint until, LaneNews& news);
  // On the lane's thread, at its end.
  std::map<std::string, std::shared_ptr<const NamedAdapter>> take_adapters();

 private:
  struct Named {
    std::string tenant;
    std::string adapter;
    std::optional<cache::PrefixSpace> stored;
  };

  void wake_locked() REQUIRES_LOCK(mutex_);
  void forget_prefixes_locked(const std::string& adapter) REQUIRES_LOCK(mutex_);
  [[nodiscard]] bool is_stored(const Named& named, const cache::NamedPrefix& prefix) const;

  const std::shared_ptr<cache::PrefixStore> store_;
  mutable Mutex mutex_;
  Condition condition_;
  LaneNews news_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<const NamedAdapter>> adapters_ GUARDED_BY(mutex_);
  std::uint64_t numbers_ GUARDED_BY(mutex_) = 0;
  cache::NamedPrefixes names_ GUARDED_BY(mutex_);  // holds no pins
  std::map<std::string, Named> named_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace cortex::scheduler
