// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "frontend/codec/model_catalog.h"
#include "frontend/codec/oip/statistics_document.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::oip {

struct OipOptions {
  std::string server_version;   // as GET /v2 tells it
  std::function<bool()> ready;  // takes requests: thread-safe, never blocks
  // Of every version that was ever asked for anything. Thread-safe.
  std::function<std::vector<ModelStatistics>()> statistics;
};

// The Open Inference Protocol v2 over HTTP, with the extensions of Triton that unmodified clients
// use: binary tensor data, classification, schedule policy, model configuration, model repository,
// statistics.
// Outlives the server that its Api is mounted on. Thread-safe: keeps no state between requests.
class OipCodec {
 public:
  OipCodec(ModelCatalog catalog, Submit submit, OipOptions options);

  // The routes, below "/v2".
  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kEntries[];

  void server_metadata(const ExchangePtr& exchange) const;
  void server_live(const ExchangePtr& exchange) const;
  void server_ready(const ExchangePtr& exchange) const;
  void list_models(const ExchangePtr& exchange) const;
  void model_metadata(const ExchangePtr& exchange) const;
  void model_ready(const ExchangePtr& exchange) const;
  void model_config(const ExchangePtr& exchange) const;
  void all_statistics(const ExchangePtr& exchange) const;
  void model_statistics(const ExchangePtr& exchange) const;
  void infer(const ExchangePtr& exchange) const;
  void index(const ExchangePtr& exchange) const;
  void load(const ExchangePtr& exchange) const;
  void unload(const ExchangePtr& exchange) const;

  [[nodiscard]] Result<registry::Handle> find(const HttpRequest& http) const;
  [[nodiscard]] std::vector<ModelStatistics> statistics_of(
      const std::function<bool(const ModelIdentity&)>& wanted
  ) const;

  const ModelCatalog catalog_;
  const Submit submit_;
  const OipOptions options_;
};

}  // namespace cortex::frontend::oip
