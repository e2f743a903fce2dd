// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/thread_pool.h"
#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"
#include "request/language_controls.h"

namespace cortex::frontend::prefixes {

// Our own API of named prefixes, below /api/v1/prefixes/{model}: personas that stay in a language
// model's memory. Names are the tenant's: another one neither sees nor meets them. A version has
// its own; they go with it. Texts become tokens on the pool. Outlives the server that its Api is
// mounted on, and the pool's calls. Thread-safe: keeps no state between requests.
class PrefixCodec {
 public:
  PrefixCodec(ModelCatalog catalog, ThreadPool& cpu);

  [[nodiscard]] Api make_api();

 private:
  using ExchangePtr = std::shared_ptr<Exchange>;
  struct Entry;
  static const Entry kEntries[];

  void list(const ExchangePtr& exchange) const;
  void create(const ExchangePtr& exchange) const;
  void get(const ExchangePtr& exchange) const;
  void remove(const ExchangePtr& exchange) const;

  // Hands the work to the pool; `hold` keeps an adapter until it is done.
  void prepare(
      const ExchangePtr& exchange,
      const registry::Handle& handle,
      PrefixRequest prefix,
      std::shared_ptr<const void> hold
  ) const;
  [[nodiscard]] Result<registry::Handle> find(const HttpRequest& http) const;

  const ModelCatalog catalog_;
  ThreadPool& cpu_;
};

}  // namespace cortex::frontend::prefixes
