// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/status.h"
#include "registry/handle.h"
#include "request/request.h"
#include "router/stage.h"

namespace cortex::router {

// OK, or why the version cannot answer the request.
[[nodiscard]] Status fits(const registry::ServingVersion& version, const Request& request);

// Refuses requests that do not fit the chosen version: other tensors than its signature's, a batch
// above its limit, text for a model that takes none.
class Fit final : public Stage {
 public:
  [[nodiscard]] std::string_view name() const override { return "fit"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;
};

}  // namespace cortex::router
