// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "registry/adapters/adapter_shelf.h"
#include "request/model_reference.h"
#include "router/stage.h"

namespace cortex::router {

// AdapterShelf::lend.
using AdapterLender = std::function<
    void(const ModelReference&, const registry::Handle&, TimePoint deadline, std::function<void(Result<registry::AdapterLease>)>)>;

// Gives a request that names an adapter what it needs of it. It waits here while the adapter is
// loaded, and nobody else does. From here on the request names the adapter as the lane knows it.
class Adapt final : public Stage {
 public:
  explicit Adapt(AdapterLender lend) : lend_(std::move(lend)) {}

  [[nodiscard]] std::string_view name() const override { return "adapt"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;

 private:
  const AdapterLender lend_;
};

}  // namespace cortex::router
