// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "router/limiter.h"
#include "router/quotas.h"
#include "router/stage.h"

namespace cortex::router {

struct QuotaOptions {
  Limiter* limiter = nullptr;  // null: nobody has limits. Outlives the stage and its requests.
  const Quotas* quotas = nullptr;
  // Called for every refusal; may be empty. Thread-safe, quick.
  std::function<void(std::string_view principal, QuotaKind kind)> on_refusal;
};

// Holds principals to their limits: reserves what a request may use, refuses it where that is not
// there, and settles what it did use when its answer ends, however it does.
class Quota final : public Stage {
 public:
  explicit Quota(QuotaOptions options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "quota"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;

 private:
  // True where the request may go on.
  [[nodiscard]] bool admit(Passage& passage, const QuotaAnswer& answer) const;

  const QuotaOptions options_;
};

}  // namespace cortex::router
