// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mailbox.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/thread_pool.h"
#include "registry/ledger.h"
#include "registry/registry.h"
#include "registry/serving_board.h"
#include "registry/serving_table.h"

namespace cortex::registry {

struct Candidate;

// The registry's thread: turns what comes in (requests, results of loaders, ended leases, the
// folders) into facts of the ledger, carries out what the ledger plans, and publishes what readers
// see. Loaders run on their own threads, at most `loader_threads` at once. Private to this room.
class Registry::Reconciler {
 public:
  using Done = std::function<void(Status)>;

  Reconciler(RegistryOptions options, Loader loader, const Clock& clock);
  ~Reconciler();

  // Thread-safe from here on.
  [[nodiscard]] Status start();
  void load(const std::string& name, LoadOverride override_, Done done);
  void unload(const std::string& name, Done done);
  void rescan();
  void rescan_model(const std::string& name);
  void set_stored(std::map<std::string, StoredFacts> changed);
  void drain();
  [[nodiscard]] std::shared_ptr<const ServingTable> table() const { return board_.table(); }
  [[nodiscard]] bool settled() const { return settled_.load(); }
  [[nodiscard]] RegistryCounts counts() const;
  [[nodiscard]] FolderLocks& folder_locks() { return folder_locks_; }

 private:
  // kWake says only that a flag somewhere has changed. The flag is set first, so a wake that finds
  // the inbox full is not lost: what fills it wakes the thread as well.
  struct Command {
    enum class Kind { kWake, kLoad, kUnload, kRescan } kind = Kind::kWake;
    std::string name;
    LoadOverride override_;
    Done done;
  };
  // Shared with leases, of which the last may ring while the registry goes.
  struct Bell;
  // One load as its loader and its leases see it.
  struct Slot;
  struct Running {
    LoadOrder order;
    std::shared_ptr<Slot> slot;
    TimePoint begun;
  };
  struct Serving {
    ModelIdentity identity;
    std::int64_t number = 0;
    bool stored = false;
    LoadedModel model;
    std::shared_ptr<Slot> slot;
    std::shared_ptr<const void> token;  // the registry's own lease; copies are in all others
    TimePoint overdue = kNoDeadline;    // when to complain of leases that do not end
  };

  void want_at_start(const std::string& name);
  void send(Command command);
  void run();
  void turn(std::vector<Command>& commands);
  void obey(Command& command);
  void obey_load(Command& command);
  void obey_unload(Command& command);
  void obey_rescan(const std::string& name);
  void scan();
  void see(RepositorySnapshot snapshot);
  void close();
  void collect_loaded();
  void take_result(LoadId id, const Running& running);
  void forget_gone(LoadId id, const LoadOrder& order);
  void collect_released();
  void carry_out(const LedgerPlan& plan);
  void start_waiting();
  [[nodiscard]] StoredRepository stored_repository();
  [[nodiscard]] Candidate candidate(const LoadOrder& order) const;
  [[nodiscard]] LedgerPlan plan(const ServingBoard::Pins& pins);
  [[nodiscard]] ServingBoard::Changes changes();
  [[nodiscard]] std::shared_ptr<const ReconciledModel> held_model(const std::string& name) const;
  void answer();
  void complain_of_overdue();
  void tell_change();
  [[nodiscard]] TimePoint wake_time() const;
  [[nodiscard]] bool idle() const;

  const RegistryOptions options_;
  const Loader loader_;
  const Clock& clock_;
  const std::shared_ptr<Bell> bell_;
  FolderLocks folder_locks_;  // of options_.stored
  ServingBoard board_;
  std::atomic<bool> settled_{false};
  std::atomic<bool> rescan_asked_{false};
  std::atomic<bool> drain_asked_{false};
  std::atomic<bool> stop_asked_{false};
  std::atomic<std::uint64_t> loads_{0};
  std::atomic<std::uint64_t> load_failures_{0};
  std::atomic<std::uint64_t> unloads_{0};
  Mailbox<bool> drained_{1};  // closed once nothing is held any more
  Mutex listener_mutex_;      // held while on_change runs
  bool listening_ GUARDED_BY(listener_mutex_) = true;

  // Registry thread only.
  Ledger ledger_;
  ConfigOverrides overrides_;
  std::deque<LoadOrder> waiting_;
  std::map<LoadId, Running> running_;
  std::map<LoadId, Serving> serving_;
  std::vector<std::pair<std::string, Done>> load_answers_;
  std::vector<Done> unload_answers_;
  TimePoint next_poll_ = kNoDeadline;
  bool closed_ = false;

  ThreadPool loaders_;
  Thread thread_;
};

}  // namespace cortex::registry
