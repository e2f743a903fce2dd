// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/check.h"
#include "connectors/webhook_url.h"
#include "store/keyset.h"

namespace cortex::connectors {
namespace {

// Of a hook: `cursor` is the last event of the log that needs nothing more, `failures` the
// deliveries that were given up in a row.
constexpr std::string_view kTables = R"(
CREATE TABLE webhook (
  workspace {text} NOT NULL,
  id {text} NOT NULL,
  name {text} NOT NULL,
  description {text} NOT NULL,
  url {text} NOT NULL,
  active BIGINT NOT NULL,
  status_message {text} NOT NULL,
  secret {text} NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  cursor BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX webhook_active ON webhook (active);
CREATE TABLE webhook_event (
  workspace {text} NOT NULL,
  webhook_id {text} NOT NULL,
  event {text} NOT NULL,
  PRIMARY KEY (workspace, webhook_id, event)
);
CREATE TABLE webhook_delivery (
  workspace {text} NOT NULL,
  webhook_id {text} NOT NULL,
  seq BIGINT NOT NULL,
  delivery_id {text} NOT NULL,
  event {text} NOT NULL,
  status BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  next_attempt_at BIGINT NOT NULL,
  response_status BIGINT NOT NULL,
  response_head {text} NOT NULL,
  error {text} NOT NULL,
  duration_ms BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, webhook_id, seq)
);
CREATE TABLE webhook_sender (
  id BIGINT NOT NULL PRIMARY KEY,
  holder {text} NOT NULL,
  until BIGINT NOT NULL
);
)";

constexpr std::array<std::string_view, 1> kSteps = {kTables};
constexpr std::size_t kNameBytesMax = 63;
constexpr std::size_t kDescriptionBytesMax = 5000;
constexpr std::string_view kColumns =
    "id, name, description, url, active, status_message, created_at, updated_at";

bool is_name_end(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

Status check_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kNameBytesMax && is_name_end(name.front()) &&
                    is_name_end(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
                      return is_name_end(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return {};
  return invalid_argument(
      "Webhook name is invalid. It must start and end with a letter or digit, be less than 63 "
      "characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens "
      "(-)."
  );
}

Status check_description(const std::string& text) {
  if (text.size() <= kDescriptionBytesMax) return {};
  return invalid_argument("Webhook description is longer than 5000 bytes.");
}

Status check_events(const std::vector<std::string>& events) {
  if (!events.empty() && events.size() <= kWebhookEventsMax) return {};
  return invalid_argument("Webhook events must be a non-empty list of at most 64 events.");
}

Status check(const WebhookChange& change) {
  if (change.name) CORTEX_RETURN_IF_ERROR(check_name(*change.name));
  if (change.description) CORTEX_RETURN_IF_ERROR(check_description(*change.description));
  if (change.url) CORTEX_RETURN_IF_ERROR(parse_webhook_url(*change.url).status());
  if (change.events) CORTEX_RETURN_IF_ERROR(check_events(*change.events));
  return {};
}

Status not_there(const std::string& id) {
  return not_found("Webhook with ID " + id + " not found.");
}

Webhook read_webhook(const store::Rows& rows, std::size_t row) {
  Webhook out;
  out.id = rows.text(row, 0);
  out.name = rows.text(row, 1);
  out.description = rows.text(row, 2);
  out.url = rows.text(row, 3);
  out.active = rows.integer(row, 4) != 0;
  out.status_message = rows.text(row, 5);
  out.created_at = rows.integer(row, 6);
  out.updated_at = rows.integer(row, 7);
  return out;
}

Status read_events(
    store::Transaction& transaction, const std::string& workspace, Webhook& webhook
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT event FROM webhook_event WHERE workspace = $1 AND webhook_id = $2 "
          "ORDER BY event",
          {workspace, webhook.id}
      )
  );
  for (std::size_t i = 0; i < rows.size(); ++i) webhook.events.push_back(rows.text(i, 0));
  return {};
}

Status put_events(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const std::vector<std::string>& events
) {
  for (const std::string& event : std::set<std::string>(events.begin(), events.end())) {
    CORTEX_RETURN_IF_ERROR(
        transaction
            .execute(
                "INSERT INTO webhook_event (workspace, webhook_id, event) VALUES ($1, $2, $3)",
                {workspace, id, event}
            )
            .status()
    );
  }
  return {};
}

Status drop(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    std::string_view table
) {
  return transaction
      .execute(
          "DELETE FROM " + std::string(table) + " WHERE workspace = $1 AND webhook_id = $2",
          {workspace, id}
      )
      .status();
}

Status note(store::Transaction& transaction, const std::string& id) {
  return transaction.note_change("webhook", id).status();
}

Status check_room(store::Transaction& transaction, const std::string& workspace) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query("SELECT count(*) FROM webhook WHERE workspace = $1", {workspace})
  );
  if (rows.integer(0, 0) < static_cast<std::int64_t>(kWebhooksMax)) return {};
  return resource_exhausted(
      "There are " + std::to_string(kWebhooksMax) + " webhooks already: delete one."
  );
}

// Sets what a change names; COALESCE keeps the rest.
Status apply(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const WebhookChange& change,
    std::int64_t now
) {
  const auto text = [](const std::optional<std::string>& value) {
    return value ? store::Value(*value) : store::Value();
  };
  return transaction
      .execute(
          "UPDATE webhook SET name = COALESCE($3, name), "
          "description = COALESCE($4, description), url = COALESCE($5, url), "
          "secret = COALESCE($6, secret), updated_at = $7 WHERE workspace = $1 AND id = $2",
          {workspace,
           id,
           text(change.name),
           text(change.description),
           text(change.url),
           text(change.sealed_secret),
           now}
      )
      .status();
}

Status switch_to(
    store::Transaction& transaction,
    const std::string& workspace,
    const Webhook& before,
    bool active,
    std::int64_t cursor
) {
  if (active == before.active) return {};
  return transaction
      .execute(
          "UPDATE webhook SET active = $3, status_message = '', failures = 0, cursor = $4 "
          "WHERE workspace = $1 AND id = $2",
          {workspace, before.id, static_cast<std::int64_t>(active), cursor}
      )
      .status();
}

}  // namespace

const store::Schema& webhook_schema() {
  static constexpr store::Schema kSchema{"connectors", kSteps};
  return kSchema;
}

std::string new_webhook_id() {
  std::array<unsigned char, 16> raw{};
  CHECK(
      ::getrandom(raw.data(), raw.size(), 0) == static_cast<ssize_t>(raw.size()),
      "the kernel gives random bytes"
  );
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0F) | 0x40);
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3F) | 0x80);
  return uuid_text(raw);
}

Result<Webhook> create_webhook(
    store::Transaction& transaction,
    const std::string& workspace,
    const NewWebhook& webhook,
    std::int64_t cursor,
    std::int64_t now
) {
  CORTEX_RETURN_IF_ERROR(
      check({webhook.name, webhook.description, webhook.url, webhook.events, {}, {}})
  );
  CORTEX_RETURN_IF_ERROR(note(transaction, webhook.id));
  CORTEX_RETURN_IF_ERROR(check_room(transaction, workspace));
  CORTEX_RETURN_IF_ERROR(
      transaction
          .execute(
              "INSERT INTO webhook (workspace, id, name, description, url, active, "
              "status_message, secret, created_at, updated_at, cursor, failures) "
              "VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $8, $9, 0)",
              {workspace,
               webhook.id,
               webhook.name,
               webhook.description,
               webhook.url,
               static_cast<std::int64_t>(webhook.active),
               webhook.sealed_secret,
               now,
               cursor}
          )
          .status()
  );
  CORTEX_RETURN_IF_ERROR(put_events(transaction, workspace, webhook.id, webhook.events));
  return find_webhook(transaction, workspace, webhook.id);
}

Result<Webhook> find_webhook(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT " + std::string(kColumns) + " FROM webhook WHERE workspace = $1 AND id = $2",
          {workspace, id}
      )
  );
  if (rows.empty()) return not_there(id);
  Webhook out = read_webhook(rows, 0);
  CORTEX_RETURN_IF_ERROR(read_events(transaction, workspace, out));
  return out;
}

Result<WebhookPage> list_webhooks(
    store::Transaction& transaction,
    const std::string& workspace,
    std::size_t limit,
    const std::string& page_token
) {
  const std::array<store::SortKey, 2> keys{{{"created_at", false}, {"id", true}}};
  const std::string query = "webhooks " + workspace;
  std::string sql = "SELECT " + std::string(kColumns) + " FROM webhook WHERE workspace = $1";
  std::vector<store::Value> parameters{workspace};
  if (!page_token.empty()) {
    CORTEX_ASSIGN_OR_RETURN(const auto last, store::read_page_token(query, page_token));
    if (last.size() != keys.size()) return invalid_argument("Invalid page token.");
    sql += " AND ";
    store::append_behind(sql, parameters, keys, last);
  }
  sql += " ORDER BY ";
  store::append_order(sql, keys);
  parameters.emplace_back(static_cast<std::int64_t>(limit + 1));
  sql += " LIMIT $" + std::to_string(parameters.size());
  CORTEX_ASSIGN_OR_RETURN(const store::Rows rows, transaction.query(sql, parameters));
  WebhookPage out;
  for (std::size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    out.webhooks.push_back(read_webhook(rows, i));
    CORTEX_RETURN_IF_ERROR(read_events(transaction, workspace, out.webhooks.back()));
  }
  if (rows.size() > limit) {
    const Webhook& last = out.webhooks.back();
    const std::array<store::Value, 2> values{last.created_at, last.id};
    out.next_page_token = store::make_page_token(query, values);
  }
  return out;
}

Result<Webhook> update_webhook(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const WebhookChange& change,
    std::int64_t cursor,
    std::int64_t now
) {
  CORTEX_RETURN_IF_ERROR(check(change));
  CORTEX_RETURN_IF_ERROR(note(transaction, id));
  CORTEX_ASSIGN_OR_RETURN(const Webhook before, find_webhook(transaction, workspace, id));
  CORTEX_RETURN_IF_ERROR(apply(transaction, workspace, id, change, now));
  if (change.active) {
    CORTEX_RETURN_IF_ERROR(switch_to(transaction, workspace, before, *change.active, cursor));
  }
  if (change.events) {
    CORTEX_RETURN_IF_ERROR(drop(transaction, workspace, id, "webhook_event"));
    CORTEX_RETURN_IF_ERROR(put_events(transaction, workspace, id, *change.events));
  }
  return find_webhook(transaction, workspace, id);
}

Status delete_webhook(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
) {
  CORTEX_RETURN_IF_ERROR(note(transaction, id));
  CORTEX_ASSIGN_OR_RETURN(
      const std::int64_t gone,
      transaction.execute("DELETE FROM webhook WHERE workspace = $1 AND id = $2", {workspace, id})
  );
  if (gone == 0) return not_there(id);
  CORTEX_RETURN_IF_ERROR(drop(transaction, workspace, id, "webhook_event"));
  return drop(transaction, workspace, id, "webhook_delivery");
}

Result<std::string> find_sealed_secret(
    store::Transaction& transaction, const std::string& workspace, const std::string& id
) {
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT secret FROM webhook WHERE workspace = $1 AND id = $2", {workspace, id}
      )
  );
  if (rows.empty()) return not_there(id);
  return rows.text(0, 0);
}

}  // namespace cortex::connectors
