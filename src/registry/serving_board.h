// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/snapshot.h"
#include "registry/alias_book.h"
#include "registry/serving_table.h"

namespace cortex::registry {

// One model as the registry's thread holds it.
struct ReconciledModel {
  std::vector<Handle> ready;        // ascending by version
  std::vector<IndexEntry> entries;  // of its folders; empty: it is gone
  Status fault = {};                // why its folders cannot be used as they are now
};

// Makes what readers see out of two halves: what is loaded, which the registry's thread says, and
// which version an alias means, which the store says. Every change of either is published at once
// as one whole table, so that no request sees half of it, and a change of an alias waits for no
// folder and no load. Thread-safe.
class ServingBoard {
 public:
  // By model: the versions that must stay loaded because an alias needs them.
  using Pins = std::map<std::string, std::set<std::int64_t>>;
  struct Changes {
    std::map<std::string, std::shared_ptr<const ReconciledModel>> models;
    bool closed = false;
  };

  explicit ServingBoard(std::string default_alias);

  [[nodiscard]] std::shared_ptr<const ServingTable> table() const { return table_.load(); }

  // Calls `decide` with the pins that changed since the last time and publishes what it answers;
  // true when readers see a change. No alias moves meanwhile: what is decided to be unloaded cannot
  // become wanted before readers see that it is gone. Registry thread alone.
  bool update(const std::function<Changes(const Pins&)>& decide);
  // Registry::set_stored.
  void set_stored(std::map<std::string, StoredFacts> changed);

 private:
  struct Record {
    std::shared_ptr<const ReconciledModel> held;
    StoredFacts facts;
    AliasBook aliases;
    std::set<std::int64_t> pins;
  };

  // Puts a model as it is now into the next table.
  void show_locked(const std::string& name, ServingTable& next) REQUIRES_LOCK(mutex_);
  // Null when there is nothing to see of it any more.
  [[nodiscard]] std::shared_ptr<const ServingModel> compose_locked(const std::string& name)
      REQUIRES_LOCK(mutex_);

  const std::string default_alias_;
  Snapshot<ServingTable> table_;
  // For the two that change the table; readers never take it.
  Mutex mutex_;
  std::map<std::string, Record> records_ GUARDED_BY(mutex_);
  Pins changed_pins_ GUARDED_BY(mutex_);
};

}  // namespace cortex::registry
