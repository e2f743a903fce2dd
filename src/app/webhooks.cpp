// SPDX-License-Identifier: Apache-2.0
#include "app/webhooks.h"

#include <unistd.h>

#include <array>
#include <string>
#include <system_error>

namespace cortex::app {
namespace {

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

connectors::WebhookSenderOptions webhook_options(
    const config::WebhookSettings& settings, const std::filesystem::path& data
) {
  std::error_code ignored;
  connectors::WebhookSenderOptions out;
  out.holder = machine_name() + ":" + std::filesystem::absolute(data, ignored).string();
  out.threads = settings.threads;
  out.timeout = settings.timeout;
  out.retry = {static_cast<int>(settings.attempts), settings.first_wait, settings.wait_max};
  out.log = {settings.log_deliveries, static_cast<std::int64_t>(settings.failures)};
  out.queue_events = static_cast<std::int64_t>(settings.queue_events);
  out.allow_private = settings.allow_private;
  out.ca_file = settings.ca_file;
  return out;
}

void write_webhook_counts(metrics::Exposition& out, const connectors::WebhookCounts& counts) {
  out.family(
      "cortex_webhook_deliveries_total",
      metrics::Type::kCounter,
      "Deliveries that ended, by outcome."
  );
  out.sample({{"outcome", "delivered"}}, static_cast<double>(counts.delivered));
  out.sample({{"outcome", "failed"}}, static_cast<double>(counts.failed));
  out.family("cortex_webhook_retries_total", metrics::Type::kCounter, "Attempts behind the first.");
  out.sample({}, static_cast<double>(counts.retries));
  out.family(
      "cortex_webhooks_switched_off_total",
      metrics::Type::kCounter,
      "Webhooks that failed too often or were too far behind."
  );
  out.sample({}, static_cast<double>(counts.switched_off));
  out.family("cortex_webhooks_active", metrics::Type::kGauge, "Webhooks that are told.");
  out.sample({}, static_cast<double>(counts.active));
  out.family(
      "cortex_webhooks_behind",
      metrics::Type::kGauge,
      "Changes that the webhook furthest behind is still to be told of."
  );
  out.sample({}, static_cast<double>(counts.behind));
}

}  // namespace cortex::app
