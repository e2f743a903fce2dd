// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread.h"
#include "registry/remote/remote_registry.h"
#include "registry/remote/remote_selection.h"
#include "registry/stored/source.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::registry {

struct RemoteModelsOptions {
  std::string address;  // of the server, as origins and the log name it
  std::map<std::string, RemoteSelection> selections;
  Duration poll_interval = std::chrono::seconds(30);
  // Called on the thread "remote-models" when there is something new; must not block.
  std::function<void()> on_change;
};

struct RemoteHealth {
  bool available = true;  // as of the last time that it was asked
  std::string reason;     // why not; safe to show
  std::uint64_t polls = 0;
  std::uint64_t failures = 0;                 // polls that could not be ended
  std::uint64_t files = 0;                    // downloaded
  std::uint64_t bytes = 0;                    // of them
  std::map<std::string, std::string> faults;  // "churn@3": why it is not there
};

// Follows models of another registry, on a thread of its own, "remote-models": asks at intervals
// and when it is told to, downloads the files of the versions that are followed into this server's
// store, each checked against the size that the server says and kept by its SHA-256, and only then
// tells of a version, or of an alias that moved to it. What cannot be reached changes nothing, also
// over a restart: what was told is remembered.
// Thread-safe.
class RemoteModels {
 public:
  // All outlive it.
  RemoteModels(
      RemoteModelsOptions options,
      RemoteRegistry& remote,
      store::Store& store,
      store::ArtifactStore& artifacts
  );
  ~RemoteModels();

  // Knows what was told before the last end of the process, and starts the thread. Blocks on the
  // store.
  void start();
  // Waits for the call that is under way. Idempotent.
  void stop();

  // Asks now; `done` is called once, on the thread above, when the answer is known here and what it
  // names is downloaded, or with the reason why not; it may be empty. kUnavailable at once after
  // stop(); kResourceExhausted when too many wait.
  void refresh(std::function<void(Status)> done);
  [[nodiscard]] bool follows(const std::string& model) const {
    return options_.selections.contains(model);
  }

  // Source::changes of what is downloaded. Never blocks.
  [[nodiscard]] SourceChanges changes();
  // Source::files of a version that changes() told of.
  [[nodiscard]] Result<std::vector<SourceFile>> files(const std::string& origin);
  // True for an origin of a version that came from here.
  [[nodiscard]] static bool owns(const std::string& origin);

  // True once the first answer is known here, or that there is none.
  [[nodiscard]] bool settled() const { return settled_; }
  [[nodiscard]] RemoteHealth health() const;

 private:
  using Done = std::function<void(Status)>;

  void run();
  [[nodiscard]] Status poll();
  [[nodiscard]] Status poll_model(const std::string& name, const RemoteSelection& selection);
  [[nodiscard]] Result<SourceVersion> bring(const std::string& name, const RemoteVersion& version);
  [[nodiscard]] Result<RemoteVersion> version_of(const RemoteModel& model, std::int64_t number);
  [[nodiscard]] Status download_all(const std::string& place, const std::string& location);
  [[nodiscard]] Status download(
      const std::string& place, const std::string& location, const RemoteFile& file
  );
  [[nodiscard]] Result<std::vector<SourceFile>> read_files(const std::string& place);
  [[nodiscard]] Result<bool> is_complete(const std::string& place);
  void announce(SourceModel model);
  void announce_gone(const std::string& name);
  void forget_unused();
  [[nodiscard]] bool tell_of_changes();
  void remember();
  [[nodiscard]] Status recall();
  void forget_faults(const std::string& name, const std::set<std::int64_t>& followed);
  void fault(const std::string& name, std::int64_t version, const Status& status);

  const RemoteModelsOptions options_;
  RemoteRegistry& remote_;
  store::Store& store_;
  store::ArtifactStore& artifacts_;
  Mailbox<Done> inbox_{64};
  std::atomic<bool> stop_asked_{false};
  std::atomic<bool> settled_{false};

  // What the thread says and others read; for microseconds.
  mutable Mutex mutex_;
  std::map<std::string, SourceModel> told_ GUARDED_BY(mutex_);
  std::set<std::string> changed_ GUARDED_BY(mutex_);
  bool first_ GUARDED_BY(mutex_) = true;
  RemoteHealth health_ GUARDED_BY(mutex_);

  Thread thread_;
};

}  // namespace cortex::registry
