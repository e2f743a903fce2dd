// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"
#include "registry/adapters/adapter_shelf.h"

namespace cortex::frontend::adapters {

// The APIs that change adapters: `/api/v1/lora` and vLLM's two calls. Reading needs the scope
// "read", every change "admin". Handlers never block: the shelf answers on its own thread.
// Outlives the server that its Apis are mounted on; thread-safe.
class AdapterCodec {
 public:
  // The shelf outlives it.
  AdapterCodec(ModelCatalog catalog, registry::AdapterShelf& shelf);

  // Two, as their errors differ.
  [[nodiscard]] std::vector<Api> make_apis();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kLoraEntries[];
  static const Entry kVllmEntries[];

  void enroll(const ExchangePtr& exchange) const;
  void remove(const ExchangePtr& exchange) const;
  void load(const ExchangePtr& exchange) const;
  void unload(const ExchangePtr& exchange) const;
  void swap(const ExchangePtr& exchange) const;
  void list(const ExchangePtr& exchange) const;
  void status(const ExchangePtr& exchange) const;
  void memory(const ExchangePtr& exchange) const;
  void vllm_load(const ExchangePtr& exchange) const;
  void vllm_unload(const ExchangePtr& exchange) const;
  [[nodiscard]] Result<std::string> only_language_model() const;

  const ModelCatalog catalog_;
  registry::AdapterShelf& shelf_;
};

}  // namespace cortex::frontend::adapters
