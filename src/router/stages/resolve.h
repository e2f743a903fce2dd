// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <utility>

#include "base/status.h"
#include "request/model_reference.h"
#include "router/stage.h"

namespace cortex::router {

// Finds the version a reference means and leases it. Thread-safe, never blocks.
using Resolver = std::function<Result<registry::Handle>(const ModelReference&)>;

// Chooses the version that serves: request > rollout > alias > configuration > newest.
class Resolve final : public Stage {
 public:
  explicit Resolve(Resolver resolver) : resolver_(std::move(resolver)) {}

  [[nodiscard]] std::string_view name() const override { return "resolve"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;

 private:
  const Resolver resolver_;
};

}  // namespace cortex::router
