// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::connectors {

inline constexpr std::size_t kWebhooksMax = 100;  // of one workspace
inline constexpr std::size_t kWebhookEventsMax = 64;
inline constexpr std::size_t kWebhookSecretBytesMax = 1000;

// Who is told, and what of. Its secret is never given out.
struct Webhook {
  std::string id;
  std::string name;
  std::string description;
  std::string url;
  std::vector<std::string> events;  // "model_version.created"
  bool active = true;
  std::string status_message;   // why it was switched off; empty when somebody wished it
  std::int64_t created_at = 0;  // milliseconds since the epoch
  std::int64_t updated_at = 0;
};

struct NewWebhook {
  std::string id;  // from new_webhook_id()
  std::string name;
  std::string description;
  std::string url;
  std::vector<std::string> events;
  std::string sealed_secret;  // from SecretBox; empty: deliveries are not signed
  bool active = true;
};

// What is not named stays.
struct WebhookChange {
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<std::string> url;
  std::optional<std::vector<std::string>> events;
  std::optional<std::string> sealed_secret;
  std::optional<bool> active;
};

// The functions of this header read and change through a transaction of the store's; every change
// is noted in the feed as "webhook". `cursor` is the place in the event log (WebhookFeed) behind
// which a hook that becomes active is told.

// The tables of webhooks, their deliveries, and who sends.
[[nodiscard]] const store::Schema& webhook_schema();

// "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx", random.
[[nodiscard]] std::string new_webhook_id();

// kInvalidArgument: a bad name, URL or list of events. kResourceExhausted: kWebhooksMax.
[[nodiscard]] Result<Webhook> create_webhook(
    store::Transaction& transaction,
    const std::string& workspace,
    const NewWebhook& webhook,
    std::int64_t cursor,
    std::int64_t now
);
// kNotFound, as of all that take an id.
[[nodiscard]] Result<Webhook> find_webhook(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
);
// The newest first.
struct WebhookPage {
  std::vector<Webhook> webhooks;
  std::string next_page_token;  // empty: the last page
};
[[nodiscard]] Result<WebhookPage> list_webhooks(
    store::Transaction& transaction,
    const std::string& workspace,
    std::size_t limit,
    const std::string& page_token
);
// One that is switched on again is told of what comes from then on, and its failures are forgotten.
[[nodiscard]] Result<Webhook> update_webhook(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const WebhookChange& change,
    std::int64_t cursor,
    std::int64_t now
);
// Its deliveries go with it.
[[nodiscard]] Status delete_webhook(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
);
// The secret as it is kept.
[[nodiscard]] Result<std::string> find_sealed_secret(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
);

}  // namespace cortex::connectors
