// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "config/settings.h"
#include "frontend/http/quota_gate.h"
#include "metrics/metrics_registry.h"
#include "router/local_limiter.h"
#include "router/quotas.h"
#include "router/stages/quota.h"

namespace cortex::app {

// The quotas of this server: who has which limits, what was used of them, and what the router and
// the HTTP server are told. Thread-safe.
class PrincipalQuotas final : public frontend::QuotaGate {
 public:
  // Null where nobody has a limit. `registry` outlives it.
  [[nodiscard]] static std::unique_ptr<PrincipalQuotas> make(
      const config::QuotaSettings& settings,
      const std::vector<config::KeyEntry>& keys,
      bool open,
      metrics::MetricsRegistry& registry
  );

  // For the stages; this outlives them.
  [[nodiscard]] router::QuotaOptions stage_options();

  [[nodiscard]] Status enter(const Principal& principal, std::string_view api) override;
  void describe(
      const Principal& principal,
      std::string_view api,
      std::vector<std::pair<std::string_view, std::string>>& headers
  ) const override;

 private:
  PrincipalQuotas(
      router::Quotas quotas, std::size_t principals_max, metrics::MetricsRegistry& registry
  );
  void count(std::string_view principal, router::QuotaKind kind);

  const router::Quotas quotas_;
  router::LocalLimiter limiter_;
  metrics::Family<metrics::Counter>& refusals_;
};

}  // namespace cortex::app
