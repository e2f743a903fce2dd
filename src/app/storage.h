// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "app/data_lock.h"
#include "base/mailbox.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread.h"
#include "config/settings.h"
#include "metrics/exposition.h"
#include "registry/signing/signature_gate.h"
#include "store/artifact_store.h"
#include "store/store.h"

namespace cortex::app {

// What a server keeps: the database, the artifacts, and the folders that stored models are served
// from. A thread of its own, "collector", deletes blobs some time after the last reference to them
// went, and uploads that nobody finished.
class Storage {
 public:
  // Opens or makes what the settings name; null when they name neither a data folder nor a
  // database. Blocks.
  [[nodiscard]] static Result<std::unique_ptr<Storage>> open(const config::Settings& settings);
  ~Storage();

  [[nodiscard]] store::Store& store() { return *store_; }
  [[nodiscard]] store::ArtifactStore& artifacts() { return *artifacts_; }
  [[nodiscard]] const std::filesystem::path& models() const { return models_; }
  // Called with every collection, on its thread. Set at most once.
  void on_collect(std::function<void()> more);

 private:
  Storage(
      DataLock lock,
      std::unique_ptr<store::Store> store,
      std::unique_ptr<store::ArtifactStore> artifacts,
      std::filesystem::path models
  );
  void collect();
  [[nodiscard]] std::function<void()> collected_too();

  const DataLock lock_;
  const std::unique_ptr<store::ArtifactStore> artifacts_;
  const std::unique_ptr<store::Store> store_;  // its works may use the artifacts: ends before them
  const std::filesystem::path models_;
  Mailbox<bool> end_{1};
  Mutex mutex_;  // set once, while the thread runs already
  std::function<void()> more_ GUARDED_BY(mutex_);
  Thread collector_;
};

// Of every room that keeps something.
[[nodiscard]] std::vector<store::Schema> storage_schemas();

// As cortex_store_*.
void write_store_health(metrics::Exposition& out, const store::StoreHealth& health);
// As cortex_signature_checks_total.
void write_signature_counts(metrics::Exposition& out, const registry::SignatureCounts& counts);

}  // namespace cortex::app
