// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "router/stage.h"

namespace cortex::router {

// Refuses requests that do not fit the chosen version: other tensors than its signature's, a batch
// above its limit, text for a model that takes none.
class Fit final : public Stage {
 public:
  [[nodiscard]] std::string_view name() const override { return "fit"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;
};

}  // namespace cortex::router
