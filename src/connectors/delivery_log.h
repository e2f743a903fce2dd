// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "connectors/delivery.h"
#include "store/transaction.h"

namespace cortex::connectors {

// The log of events that hooks are told of: written in the transactions of the changes themselves,
// numbered by workspace. Given by app, so that this room knows no registry. All of it is set.
struct EventPage {
  std::vector<WebhookEvent> events;
  std::int64_t last = 0;  // up to where the log was read
};
struct WebhookFeed {
  // Events behind `after`, of the next `limit` entries of the log.
  std::function<Result<EventPage>(
      store::Transaction&, const std::string& workspace, std::int64_t after, std::size_t limit
  )>
      read;
  // The number of the newest entry.
  std::function<Result<std::int64_t>(store::Transaction&, const std::string& workspace)> head;
  // There can be events of this name.
  std::function<bool(std::string_view name)> knows;
  // What such an event looks like, for who tries a hook out; `now` is in milliseconds.
  std::function<WebhookEvent(std::string_view name, std::int64_t now)> example;
};

// A hook as its sender sees it.
struct ActiveWebhook {
  std::string workspace;
  std::string id;
  std::string name;
  std::string url;
  std::string sealed_secret;
  std::set<std::string> events;
  std::int64_t cursor = 0;    // the last event that needs nothing more
  std::int64_t failures = 0;  // deliveries given up in a row
  // Of the delivery behind the cursor, if it was tried.
  std::int64_t pending_seq = 0;
  std::int64_t attempts = 0;
  std::int64_t next_attempt_at = 0;  // milliseconds since the epoch
};
[[nodiscard]] Result<std::vector<ActiveWebhook>> active_webhooks(store::Transaction& transaction);

// One row of the log of deliveries.
struct Delivery {
  std::int64_t seq = 0;
  std::string id;
  std::string event;
  DeliveryStatus status = DeliveryStatus::kPending;
  std::int64_t attempts = 0;
  AttemptResult last;                // of the last attempt
  std::int64_t created_at = 0;       // milliseconds since the epoch; the first attempt
  std::int64_t updated_at = 0;       // the last one
  std::int64_t next_attempt_at = 0;  // 0: none
};
// The newest first, those before `before`; 0 begins at the newest. kNotFound: no such hook.
[[nodiscard]] Result<std::vector<Delivery>> list_deliveries(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& webhook_id,
    std::int64_t before,
    std::size_t limit
);

struct LogLimits {
  std::size_t deliveries = 100;    // of one hook that are kept
  std::int64_t failures_max = 10;  // in a row, before a hook is switched off
};
// Keeps what came of an attempt: the row of the log, how far the hook is, and whether it goes on.
// True when it was switched off by this. Nothing when the hook is gone or further already.
[[nodiscard]] Result<bool> note_attempt(
    store::Transaction& transaction,
    const ActiveWebhook& hook,
    const Delivery& delivery,
    const LogLimits& limits
);
// Nothing up to there is for this hook.
[[nodiscard]] Status skip_to(
    store::Transaction& transaction, const ActiveWebhook& hook, std::int64_t cursor
);
[[nodiscard]] Status switch_off(
    store::Transaction& transaction,
    const ActiveWebhook& hook,
    const std::string& why,
    std::int64_t now
);

// One sender at a time, of all processes on one database: true while `holder` is it, until then.
[[nodiscard]] Result<bool> hold_sender(
    store::Transaction& transaction, const std::string& holder, std::int64_t now, std::int64_t until
);

}  // namespace cortex::connectors
