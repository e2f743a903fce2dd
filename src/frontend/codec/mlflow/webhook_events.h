// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "connectors/delivery_log.h"
#include "registry/catalog/audit_log.h"

namespace cortex::frontend::mlflow {

// MLflow's names, by their numbers in its messages.
inline constexpr auto kWebhookEntities = std::to_array<std::string_view>(
    {"REGISTERED_MODEL",
     "MODEL_VERSION",
     "MODEL_VERSION_TAG",
     "MODEL_VERSION_ALIAS",
     "PROMPT",
     "PROMPT_VERSION",
     "PROMPT_TAG",
     "PROMPT_VERSION_TAG",
     "PROMPT_ALIAS",
     "BUDGET_POLICY"}
);
inline constexpr auto kWebhookActions =
    std::to_array<std::string_view>({"CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED"});

// "model_version.created" of the two; kInvalidArgument: MLflow has no such event.
[[nodiscard]] Result<std::string> webhook_event_name(
    std::string_view entity, std::string_view action
);
// "MODEL_VERSION" and "CREATED" again.
struct WebhookEventParts {
  std::string entity;
  std::string action;
};
[[nodiscard]] WebhookEventParts webhook_event_parts(std::string_view name);

// What a receiver gets for a change of the registry; nothing: MLflow has no event for it. Pure.
[[nodiscard]] std::optional<connectors::WebhookEvent> webhook_event_of(
    const registry::AuditRow& row, bool is_prompt
);
// The audit log of the registry as the log that webhooks are told of: whoever changed it, by
// whichever API, the entry was written in the transaction of the change.
[[nodiscard]] connectors::WebhookFeed webhook_feed();

}  // namespace cortex::frontend::mlflow
