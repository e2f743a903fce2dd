// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "frontend/http/exchange.h"
#include "store/artifact_store.h"
#include "store/replay_log.h"
#include "store/store.h"

namespace cortex::connectors {
class WebhookSender;
}

namespace cortex::frontend::registry_api {

struct RegistryOptions {
  // A folder of its own, made when it is needed, for a copy of the database that is being fetched.
  std::filesystem::path backups;
  store::ReplayLimits replays;
  connectors::WebhookSender* webhooks = nullptr;  // outlives the codec; null: no routes of them
};

// Our own REST API of the registry, below /api/v2: models, versions, aliases with their history and
// rollback, comparison, the audit log, backups, and webhooks. A request is parsed on the
// connection's thread, its work runs on the store's threads, and no other thread waits for the
// database. Store and artifacts outlive the codec; the codec outlives the server that its Api is
// mounted on, and the works that it gave to the store. Thread-safe.
class RegistryCodec {
 public:
  RegistryCodec(
      store::Store& store, store::ArtifactStore& artifacts, const RegistryOptions& options
  );
  ~RegistryCodec();

  // Waits for the files that are being read. After the server has stopped, before the artifacts go.
  void stop();

  [[nodiscard]] Api make_api() const;

  // Answers under an Idempotency-Key that went before their time, for want of room.
  [[nodiscard]] std::uint64_t replays_evicted() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace cortex::frontend::registry_api
