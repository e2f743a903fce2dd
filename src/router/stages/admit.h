// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/clock.h"
#include "router/stage.h"

namespace cortex::router {

// Refuses what must not start: everything while the server drains, and requests whose deadline has
// passed.
class Admit final : public Stage {
 public:
  // Both outlive the stage.
  Admit(const Clock& clock, const std::atomic<bool>& draining)
      : clock_(clock), draining_(draining) {}

  [[nodiscard]] std::string_view name() const override { return "admit"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;

 private:
  const Clock& clock_;
  const std::atomic<bool>& draining_;
};

}  // namespace cortex::router
