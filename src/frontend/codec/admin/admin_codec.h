// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::admin {

// How the database is; the reason of a loss is in the log, as health is open to everybody.
struct StoreState {
  bool available = true;
  std::int64_t lost_since = 0;  // milliseconds since the epoch
  std::size_t waiting = 0;      // works that wait for it
};

struct AdminOptions {
  std::string server_version;
  std::function<bool()> draining;  // thread-safe, never blocks
  std::function<std::string(bool)>
      metrics;  // the exposition; true: in OpenMetrics' form. Thread-safe
  // Which parts do not work now without making the server unready: "store". Their names alone,
  // since health is open to everybody. Thread-safe, never blocks; may be empty.
  std::function<std::vector<std::string>()> degraded = {};
  std::function<StoreState()> store = nullptr;  // null: nothing is kept. Thread-safe
};

// What stands beside the models' APIs: health, metrics, and the description of all routes.
// The server is ready when every model wanted at start has loaded or failed, and it does not drain.
// A model that failed is counted by /health/ready and does not make the server unready; so is a
// lost database named: inference goes on without it. Outlives the server that its Api is mounted
// on. Thread-safe once described.
class AdminCodec {
 public:
  AdminCodec(ModelCatalog catalog, AdminOptions options);

  // The routes, at the root.
  [[nodiscard]] Api make_api();

  // Writes what /openapi.json answers. Call once, with all that is mounted, before the server
  // starts.
  void describe(const std::vector<Api>& apis);

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kEntries[];

  void live(const ExchangePtr& exchange) const;
  void ready(const ExchangePtr& exchange) const;
  void append_degraded(std::string& out) const;
  void metrics(const ExchangePtr& exchange) const;
  void openapi(const ExchangePtr& exchange) const;

  const ModelCatalog catalog_;
  const AdminOptions options_;
  std::string openapi_;
};

}  // namespace cortex::frontend::admin
