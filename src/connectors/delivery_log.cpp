// SPDX-License-Identifier: Apache-2.0
#include "connectors/delivery_log.h"

#include <utility>

#include "connectors/webhook.h"

namespace cortex::connectors {
namespace {

Status read_events(store::Transaction& transaction, ActiveWebhook& hook) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT event FROM webhook_event WHERE workspace = $1 AND webhook_id = $2",
          {hook.workspace, hook.id}
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) hook.events.insert(rows.text(i, 0));
  return {};
}

Status read_pending(store::Transaction& transaction, ActiveWebhook& hook) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT seq, attempts, next_attempt_at FROM webhook_delivery WHERE workspace = $1 "
          "AND webhook_id = $2 AND seq > $3 ORDER BY seq LIMIT 1",
          {hook.workspace, hook.id, hook.cursor}
      )
  );
  if (rows.empty()) return {};
  hook.pending_seq = rows.integer(0, 0);
  hook.attempts = rows.integer(0, 1);
  hook.next_attempt_at = rows.integer(0, 2);
  return {};
}

Delivery read_delivery(const store::Rows& rows, std::size_t row) {
  Delivery out;
  out.seq = rows.integer(row, 0);
  out.id = rows.text(row, 1);
  out.event = rows.text(row, 2);
  out.status = static_cast<DeliveryStatus>(rows.integer(row, 3));
  out.attempts = rows.integer(row, 4);
  out.next_attempt_at = rows.integer(row, 5);
  out.last.response_status = static_cast<int>(rows.integer(row, 6));
  out.last.response_head = rows.text(row, 7);
  out.last.error = rows.text(row, 8);
  out.last.duration_ms = rows.integer(row, 9);
  out.created_at = rows.integer(row, 10);
  out.updated_at = rows.integer(row, 11);
  return out;
}

Status put_delivery(
    store::Transaction& transaction, const ActiveWebhook& hook, const Delivery& delivery
) {
  return transaction
      .execute(
          "INSERT INTO webhook_delivery (workspace, webhook_id, seq, delivery_id, event, status, "
          "attempts, next_attempt_at, response_status, response_head, error, duration_ms, "
          "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
          "$13, $13) ON CONFLICT (workspace, webhook_id, seq) DO UPDATE SET "
          "status = excluded.status, attempts = excluded.attempts, "
          "next_attempt_at = excluded.next_attempt_at, "
          "response_status = excluded.response_status, response_head = excluded.response_head, "
          "error = excluded.error, duration_ms = excluded.duration_ms, "
          "updated_at = excluded.updated_at",
          {hook.workspace,
           hook.id,
           delivery.seq,
           delivery.id,
           delivery.event,
           static_cast<std::int64_t>(delivery.status),
           delivery.attempts,
           delivery.next_attempt_at,
           std::int64_t{delivery.last.response_status},
           delivery.last.response_head,
           delivery.last.error,
           delivery.last.duration_ms,
           delivery.updated_at}
      )
      .status();
}

Status drop_old(store::Transaction& transaction, const ActiveWebhook& hook, std::size_t keep) {
  return transaction
      .execute(
          "DELETE FROM webhook_delivery WHERE workspace = $1 AND webhook_id = $2 AND seq <= "
          "COALESCE((SELECT seq FROM webhook_delivery WHERE workspace = $1 AND webhook_id = $2 "
          "ORDER BY seq DESC LIMIT 1 OFFSET $3), 0)",
          {hook.workspace, hook.id, static_cast<std::int64_t>(keep)}
      )
      .status();
}

}  // namespace

Result<std::vector<ActiveWebhook>> active_webhooks(store::Transaction& transaction) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query("SELECT workspace, id, name, url, secret, cursor, failures FROM webhook "
                        "WHERE active = 1 ORDER BY workspace, id")
  );
  std::vector<ActiveWebhook> out(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ActiveWebhook& hook = out[i];
    hook.workspace = rows.text(i, 0);
    hook.id = rows.text(i, 1);
    hook.name = rows.text(i, 2);
    hook.url = rows.text(i, 3);
    hook.sealed_secret = rows.text(i, 4);
    hook.cursor = rows.integer(i, 5);
    hook.failures = rows.integer(i, 6);
    CORTEX_RETURN_IF_ERROR(read_events(transaction, hook));
    CORTEX_RETURN_IF_ERROR(read_pending(transaction, hook));
  }
  return out;
}

Result<std::vector<Delivery>> list_deliveries(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& webhook_id,
    std::int64_t before,
    std::size_t limit
) {
  CORTEX_RETURN_IF_ERROR(find_webhook(transaction, workspace, webhook_id).status());
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT seq, delivery_id, event, status, attempts, next_attempt_at, response_status, "
          "response_head, error, duration_ms, created_at, updated_at FROM webhook_delivery "
          "WHERE workspace = $1 AND webhook_id = $2 AND ($3 = 0 OR seq < $3) "
          "ORDER BY seq DESC LIMIT $4",
          {workspace, webhook_id, before, static_cast<std::int64_t>(limit)}
      )
  );
  std::vector<Delivery> out;
  for (std::size_t i = 0; i < rows.size(); ++i) out.push_back(read_delivery(rows, i));
  return out;
}

Result<bool> note_attempt(
    store::Transaction& transaction,
    const ActiveWebhook& hook,
    const Delivery& delivery,
    const LogLimits& limits
) {
  const bool pending = delivery.status == DeliveryStatus::kPending;
  const std::int64_t failures = delivery.status == DeliveryStatus::kFailed ? hook.failures + 1 : 0;
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t changed,
      transaction.execute(
          "UPDATE webhook SET cursor = CASE WHEN $4 = 1 THEN cursor ELSE $3 END, "
          "failures = CASE WHEN $4 = 1 THEN failures ELSE $5 END "
          "WHERE workspace = $1 AND id = $2 AND cursor < $3 AND active = 1",
          {hook.workspace, hook.id, delivery.seq, std::int64_t{pending}, failures}
      )
  );
  if (changed == 0) return false;
  CORTEX_RETURN_IF_ERROR(put_delivery(transaction, hook, delivery));
  CORTEX_RETURN_IF_ERROR(drop_old(transaction, hook, limits.deliveries));
  if (failures < limits.failures_max) return false;
  const std::string why =
      "switched off: the last " + std::to_string(failures) + " deliveries failed, at last with " +
      (delivery.last.response_status == 0 ? "\"" + delivery.last.error + "\""
                                          : std::to_string(delivery.last.response_status));
  CORTEX_RETURN_IF_ERROR(switch_off(transaction, hook, why, delivery.updated_at));
  return true;
}

Status skip_to(store::Transaction& transaction, const ActiveWebhook& hook, std::int64_t cursor) {
  return transaction
      .execute(
          "UPDATE webhook SET cursor = $3 WHERE workspace = $1 AND id = $2 AND cursor < $3",
          {hook.workspace, hook.id, cursor}
      )
      .status();
}

Status switch_off(
    store::Transaction& transaction,
    const ActiveWebhook& hook,
    const std::string& why,
    std::int64_t now
) {
  CORTEX_RETURN_IF_ERROR(transaction.note_change("webhook", hook.id).status());
  return transaction
      .execute(
          "UPDATE webhook SET active = 0, status_message = $3, updated_at = $4 "
          "WHERE workspace = $1 AND id = $2",
          {hook.workspace, hook.id, why, now}
      )
      .status();
}

Result<bool> hold_sender(
    store::Transaction& transaction, const std::string& holder, std::int64_t now, std::int64_t until
) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t changed,
      transaction.execute(
          "INSERT INTO webhook_sender (id, holder, until) VALUES (1, $1, $2) "
          "ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, until = excluded.until "
          "WHERE webhook_sender.holder = excluded.holder OR webhook_sender.until < $3",
          {holder, until, now}
      )
  );
  return changed == 1;
}

}  // namespace cortex::connectors
