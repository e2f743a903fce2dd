// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "router/stage.h"

namespace cortex::router {

// Hands the request to the servable of the chosen version.
class Submit final : public Stage {
 public:
  [[nodiscard]] std::string_view name() const override { return "submit"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override {
    passage->handle()->servable->submit(passage->request(), passage->stream());
    return Verdict::kFinished;
  }
};

}  // namespace cortex::router
