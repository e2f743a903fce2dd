// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "base/thread.h"
#include "base/thread_pool.h"
#include "registry/registry.h"
#include "registry/stored/source.h"
#include "registry/stored/stored_policy.h"
#include "registry/stored/version_folders.h"

namespace cortex::registry {

struct StoredModelsOptions {
  std::filesystem::path folder;  // the registry's options.stored
  std::size_t versions_max =
      2;  // of one model in memory, once nothing changes any more; at least 1
  Duration retry = std::chrono::seconds(30);  // after a fault of the disk, the network, the store
};

struct StoredCounts {
  std::uint64_t folders = 0;   // made, or found as they should be
  std::uint64_t failures = 0;  // versions whose folder could not be made
  std::uint64_t alias_moves = 0;
};

// Lets serving follow a source: what it says of aliases reaches the registry at once, the versions
// that the policy wants become folders that the registry loads, and those that are not wanted any
// more go once nobody needs them. One thread, "stored-models", decides; the folders are made on
// another one, one after the other, so that a long copy delays no alias. A version that cannot be
// made is quarantined with its reason in the index; one whose files are at fault is tried again
// when its model changes and at rescan(). Without the source everything stays as it is.
class StoredModels {
 public:
  // All outlive it, and the registry's options.stored is `options.folder`.
  StoredModels(StoredModelsOptions options, Source& source, Registry& registry, const Clock& clock);
  ~StoredModels();

  // Makes the folder and starts the thread. Before the registry's start(), which reads the folder.
  [[nodiscard]] Status start();
  // Waits for a file that is being fetched. Before the registry is drained. Idempotent.
  void stop();

  // Something changed there: read it. Thread-safe, never block.
  void source_changed();
  void registry_changed();
  // Reads the source, and tries once more to make what could not be made (SIGHUP). Thread-safe,
  // never blocks.
  void rescan();

  // True once what the source said at first is loaded or has failed, or the source could not be
  // read.
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] StoredCounts counts() const;

 private:
  // Why a version has no folder.
  struct Fault {
    Status status;
    TimePoint retry = kNoDeadline;
  };
  struct Order {
    SourceVersion version;
    bool make = false;  // else remove
  };
  struct Model {
    std::optional<SourceModel> source;            // nothing: it is gone
    std::map<std::int64_t, std::string> folders;  // that stand, and their origin; "": not known
    std::map<std::int64_t, Fault> faults;
    std::vector<Order> orders;  // what is to be done with its folders
    StoredFacts facts;          // as the registry was told
  };
  // What the thread for folders was told last, and its answer.
  struct Work {
    std::string model;
    Order order;
    Status status;
  };

  void run();
  void turn();
  void read_source();
  void take(SourceChanges changes);
  void take_model(SourceModel model);
  void tell(const std::string& name, Model& model, StoredFacts facts);
  void tell_registry();
  void take_work();
  void forget_old_faults();
  void settle(const std::string& name, Model& model);
  [[nodiscard]] StoredPlan plan(const Model& model, const std::vector<IndexEntry>& index) const;
  void give_orders(
      const std::string& name,
      Model& model,
      const StoredPlan& plan,
      const std::set<std::int64_t>& loading
  );
  [[nodiscard]] StoredFacts facts_of(const Model& model, const StoredPlan& plan) const;
  [[nodiscard]] bool is_pending(
      const Model& model, const StoredPlan& plan, const std::vector<IndexEntry>& index
  ) const;
  void start_work();
  [[nodiscard]] TimePoint wake_time() const;
  void wake() { static_cast<void>(inbox_.put(true)); }

  const StoredModelsOptions options_;
  Source& source_;
  Registry& registry_;
  const Clock& clock_;
  const VersionFolders folders_;
  // Carries no facts: those are the flags, which are set before. What finds it full is not lost.
  Mailbox<bool> inbox_{16};
  std::atomic<bool> source_changed_{true};
  std::atomic<bool> registry_changed_{false};
  std::atomic<bool> again_asked_{false};
  std::atomic<bool> work_done_{false};
  std::atomic<bool> stop_asked_{false};
  std::atomic<bool> settled_{false};
  std::atomic<std::uint64_t> made_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> alias_moves_{0};

  // The thread's.
  std::map<std::string, Model> models_;
  std::set<std::string> dirty_;              // to be settled in this turn
  std::set<std::string> unsettled_;          // that wait for a folder or a load
  std::set<std::string> watched_;            // these, and those of which something failed
  std::map<std::string, StoredFacts> told_;  // for the registry, all at once
  std::set<std::string> working_;            // with orders
  std::optional<Work> work_;                 // the folders' thread's until work_done_
  std::string last_worked_;
  TimePoint source_retry_ = kNoDeadline;

  std::unique_ptr<ThreadPool> worker_;
  Thread thread_;
};

}  // namespace cortex::registry
