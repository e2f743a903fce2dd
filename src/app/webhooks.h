// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "config/settings.h"
#include "connectors/webhook_sender.h"
#include "metrics/exposition.h"

namespace cortex::app {

// `data` is the folder of what the server keeps: it tells this process from others on its database.
[[nodiscard]] connectors::WebhookSenderOptions webhook_options(
    const config::WebhookSettings& settings, const std::filesystem::path& data
);

// As cortex_webhook_*.
void write_webhook_counts(metrics::Exposition& out, const connectors::WebhookCounts& counts);

}  // namespace cortex::app
