// SPDX-License-Identifier: Apache-2.0
#include "app/principal_quotas.h"

#include <utility>

#include "base/clock.h"
#include "frontend/quota_headers.h"

namespace cortex::app {
namespace {

// Health, metrics and the description of the server stay readable for who has used up his share.
constexpr std::string_view kFreeApi = "admin";
constexpr std::string_view kAnthropicApi = "anthropic";

}  // namespace

PrincipalQuotas::PrincipalQuotas(
    router::Quotas quotas, std::size_t principals_max, metrics::MetricsRegistry& registry
)
    : quotas_(std::move(quotas)),
      limiter_(steady_clock(), principals_max),
      refusals_(registry.counter(
          {"cortex_quota_refusals_total",
           "Requests refused because their key had used up a limit.",
           {"key", "limit"}}
      )) {
  registry.add_collector([this](metrics::Exposition& out) {
    out.family(
        "cortex_quota_principals", metrics::Type::kGauge, "Keys whose use of quotas is remembered."
    );
    out.sample({}, static_cast<double>(limiter_.principals()));
  });
}

std::unique_ptr<PrincipalQuotas> PrincipalQuotas::make(
    const config::QuotaSettings& settings,
    const std::vector<config::KeyEntry>& keys,
    bool open,
    metrics::MetricsRegistry& registry
) {
  const router::QuotaLimits defaults{
      settings.requests_per_minute, settings.tokens_per_minute, settings.concurrent_requests
  };
  router::Quotas quotas(defaults, keys, open);
  if (quotas.none()) return nullptr;
  return std::unique_ptr<PrincipalQuotas>(
      new PrincipalQuotas(std::move(quotas), settings.principals, registry)
  );
}

router::QuotaOptions PrincipalQuotas::stage_options() {
  return {&limiter_, &quotas_, [this](std::string_view principal, router::QuotaKind kind) {
            count(principal, kind);
          }};
}

void PrincipalQuotas::count(std::string_view principal, router::QuotaKind kind) {
  refusals_.with({std::string(principal), std::string(router::kind_name(kind))}).add();
}

Status PrincipalQuotas::enter(const Principal& principal, std::string_view api) {
  const router::QuotaLimits& limits = quotas_.of(principal);
  if (limits.none() || api == kFreeApi) return {};
  router::QuotaAsk ask;
  ask.principal = principal.key;
  ask.limits = limits;
  ask.holds_place = false;
  // Where the answer comes later, the request is not kept waiting for it.
  const auto answer = limiter_.take(ask, [](const router::QuotaAnswer&) {});
  if (!answer || !answer->refusal) return {};
  count(principal.key, answer->refusal->kind);
  return router::refusal_status(*answer->refusal, principal.key);
}

void PrincipalQuotas::describe(
    const Principal& principal,
    std::string_view api,
    std::vector<std::pair<std::string_view, std::string>>& headers
) const {
  const router::QuotaLimits& limits = quotas_.of(principal);
  if (limits.none() || api == kFreeApi) return;
  const router::QuotaState state = limiter_.state(principal.key, limits);
  frontend::append_ratelimit_headers(state, headers);
  if (api != kAnthropicApi) return;
  frontend::append_anthropic_headers(state, unix_milliseconds(), headers);
}

}  // namespace cortex::app
