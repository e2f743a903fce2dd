// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/webhook_routes.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "connectors/webhook.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/mlflow/webhook_events.h"

namespace cortex::frontend::mlflow {
namespace {

using connectors::Webhook;
using store::Transaction;

constexpr std::int64_t kWebhookPageStandard = 100;
constexpr std::int64_t kWebhookPageMax = 1000;
constexpr auto kWebhookStatuses = std::to_array<std::string_view>({"ACTIVE", "DISABLED"});

Status webhooks_off() {
  return unimplemented("Webhooks are off: the server was started without a key for their secrets.");
}

void write_event(JsonWriter& writer, std::string_view name) {
  const WebhookEventParts parts = webhook_event_parts(name);
  writer.open_object();
  writer.text("entity", parts.entity);
  writer.text("action", parts.action);
  writer.close_object();
}

// The secret is never among what is written.
void write_webhook(JsonWriter& writer, std::string_view key, const Webhook& webhook) {
  writer.open_object(key);
  writer.text("webhook_id", webhook.id);
  writer.text("name", webhook.name);
  writer.text_if("description", webhook.description);
  writer.text("url", webhook.url);
  writer.open_list("events");
  for (const std::string& event : webhook.events) write_event(writer, event);
  writer.close_list();
  writer.text("status", kWebhookStatuses[webhook.active ? 0 : 1]);
  writer.text_if("status_message", webhook.status_message);
  writer.integer("creation_timestamp", webhook.created_at);
  writer.integer("last_updated_timestamp", webhook.updated_at);
  writer.close_object();
}

void reply_webhook(std::string& body, const Webhook& webhook) {
  JsonWriter writer(body);
  writer.open_object();
  write_webhook(writer, "webhook", webhook);
  writer.close_object();
}

Result<std::string> read_event(const Fields& event) {
  const auto entity = event.choice("entity", kWebhookEntities);
  const auto action = event.choice("action", kWebhookActions);
  if (!entity || !action) return missing_parameter(event.path(entity ? "action" : "entity"));
  return webhook_event_name(kWebhookEntities[*entity - 1], kWebhookActions[*action - 1]);
}

std::vector<std::string> read_events(const Fields& fields) {
  std::vector<std::string> out;
  for_each_message(fields, "events", [&out](const Fields& event) {
    auto name = read_event(event);
    if (name.ok()) {
      out.push_back(std::move(*name));
    } else {
      event.refuse(name.status());
    }
  });
  return out;
}

std::optional<bool> read_status(const Fields& fields) {
  const auto status = fields.choice("status", kWebhookStatuses);
  return status ? std::optional(*status == 1) : std::nullopt;
}

Status check_secret(const std::string& secret) {
  if (secret.size() <= connectors::kWebhookSecretBytesMax) return {};
  return invalid_argument("Webhook secret is longer than 1000 bytes.");
}

Result<Plan> create_webhook(const Context& context, const Call& call) {
  if (context.webhooks == nullptr) return webhooks_off();
  connectors::NewWebhook wanted;
  wanted.id = connectors::new_webhook_id();
  wanted.name = call.fields.required_text("name");
  wanted.url = call.fields.required_text("url");
  wanted.description = call.fields.text("description");
  wanted.events = read_events(call.fields);
  wanted.active = read_status(call.fields).value_or(true);
  const std::string secret = call.fields.text("secret");
  CORTEX_RETURN_IF_ERROR(call.fields.status());
  CORTEX_RETURN_IF_ERROR(check_secret(secret));
  CORTEX_RETURN_IF_ERROR(context.webhooks->check_url(wanted.url));
  wanted.sealed_secret = context.webhooks->secrets().seal(secret, wanted.id);
  return Plan::write(
      [wanted = std::move(wanted),
       workspace = call.workspace,
       &feed = context.webhooks->feed(),
       now = unix_milliseconds()](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const std::int64_t cursor, feed.head(transaction, workspace));
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook made,
            connectors::create_webhook(transaction, workspace, wanted, cursor, now)
        );
        reply_webhook(body, made);
        return {};
      }
  );
}

Result<Plan> get_webhook(const Context&, const Call& call) {
  return Plan::read(
      [id = call.path_value(0),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook webhook, connectors::find_webhook(transaction, workspace, id)
        );
        reply_webhook(body, webhook);
        return {};
      }
  );
}

Result<std::int64_t> read_limit(const Fields& fields) {
  const std::int64_t asked = fields.integer("max_results").value_or(0);
  if (asked < 0 || asked > kWebhookPageMax) {
    return invalid_argument("max_results must be between 1 and 1000.");
  }
  return asked == 0 ? kWebhookPageStandard : asked;
}

Result<Plan> list_webhooks(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t limit, read_limit(call.fields));
  return Plan::read(
      [limit,
       token = call.fields.text("page_token"),
       workspace = call.workspace](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const connectors::WebhookPage page,
            connectors::list_webhooks(
                transaction, workspace, static_cast<std::size_t>(limit), token
            )
        );
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("webhooks");
        for (const Webhook& webhook : page.webhooks) write_webhook(writer, {}, webhook);
        writer.close_list();
        writer.text_if("next_page_token", page.next_page_token);
        writer.close_object();
        return {};
      }
  );
}

Result<connectors::WebhookChange> read_change(
    const Context& context, const Call& call, const std::string& id
) {
  const Fields& fields = call.fields;
  connectors::WebhookChange out;
  if (auto name = fields.text("name"); !name.empty()) out.name = std::move(name);
  if (auto url = fields.text("url"); !url.empty()) out.url = std::move(url);
  out.description = fields.text_if("description");
  if (fields.count("events") > 0) out.events = read_events(fields);
  out.active = read_status(fields);
  const auto secret = fields.text_if("secret");
  CORTEX_RETURN_IF_ERROR(fields.status());
  if (out.url) CORTEX_RETURN_IF_ERROR(context.webhooks->check_url(*out.url));
  if (secret) {
    CORTEX_RETURN_IF_ERROR(check_secret(*secret));
    out.sealed_secret = context.webhooks->secrets().seal(*secret, id);
  }
  return out;
}

Result<Plan> update_webhook(const Context& context, const Call& call) {
  if (context.webhooks == nullptr) return webhooks_off();
  const std::string& id = call.path_value(0);
  CORTEX_ASSIGN_OR_RETURN(connectors::WebhookChange change, read_change(context, call, id));
  return Plan::write(
      [change = std::move(change),
       id,
       workspace = call.workspace,
       &feed = context.webhooks->feed(),
       now = unix_milliseconds()](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const std::int64_t cursor, feed.head(transaction, workspace));
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook changed,
            connectors::update_webhook(transaction, workspace, id, change, cursor, now)
        );
        reply_webhook(body, changed);
        return {};
      }
  );
}

Result<Plan> remove_webhook(const Context&, const Call& call) {
  return Plan::write([id = call.path_value(0),
                      workspace = call.workspace](Transaction& transaction, std::string&) {
    return connectors::delete_webhook(transaction, workspace, id);
  });
}

void write_delivery(JsonWriter& writer, const connectors::Delivery& delivery) {
  writer.open_object();
  writer.text("delivery_id", delivery.id);
  writer.integer("sequence", delivery.seq);
  writer.text("event", delivery.event);
  writer.text("status", connectors::delivery_status_name(delivery.status));
  writer.integer("attempts", delivery.attempts);
  if (delivery.last.response_status != 0) {
    writer.integer("response_status", delivery.last.response_status);
    writer.text("response_body", delivery.last.response_head);
  }
  writer.text_if("error_message", delivery.last.error);
  writer.integer("duration_ms", delivery.last.duration_ms);
  writer.integer("creation_timestamp", delivery.created_at);
  writer.integer("last_attempt_timestamp", delivery.updated_at);
  if (delivery.next_attempt_at != 0) {
    writer.integer("next_attempt_timestamp", delivery.next_attempt_at);
  }
  writer.close_object();
}

Result<std::int64_t> read_before(const std::string& token) {
  std::int64_t before = 0;
  const char* end = token.data() + token.size();
  const auto read = std::from_chars(token.data(), end, before);
  if (token.empty() || (read.ec == std::errc() && read.ptr == end && before > 0)) return before;
  return invalid_argument("Invalid page token.");
}

// The token is the number of the last delivery of the page.
Result<Plan> deliveries(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t limit, read_limit(call.fields));
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t before, read_before(call.fields.text("page_token")));
  return Plan::read(
      [limit, before, id = call.path_value(0), workspace = call.workspace](
          Transaction& transaction, std::string& body
      ) -> Status {
        const auto count = static_cast<std::size_t>(limit);
        CORTEX_ASSIGN_OR_RETURN(
            auto found, connectors::list_deliveries(transaction, workspace, id, before, count + 1)
        );
        const bool more = found.size() > count;
        if (more) found.pop_back();
        JsonWriter writer(body);
        writer.open_object();
        writer.open_list("deliveries");
        for (const connectors::Delivery& delivery : found) write_delivery(writer, delivery);
        writer.close_list();
        if (more) writer.text("next_page_token", std::to_string(found.back().seq));
        writer.close_object();
        return {};
      }
  );
}

std::string trial_text(const connectors::AttemptResult& result) {
  std::string out;
  JsonWriter writer(out);
  writer.open_object();
  writer.open_object("result");
  writer.flag("success", result.response_status > 0 && result.response_status < 400);
  if (result.response_status != 0) {
    writer.integer("response_status", result.response_status);
    writer.text("response_body", result.response_head);
  } else {
    writer.text("error_message", "Failed to test webhook: " + result.error);
  }
  writer.close_object();
  writer.close_object();
  return out;
}

// Which hook is tried, and with what: "" is its first event.
struct TrialCall {
  std::string workspace;
  std::string id;
  std::string event;
};

Result<TrialCall> read_trial(const HttpRequest& request) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, Document::read(request));
  const Fields fields = document.fields();
  TrialCall out{request.principal.workspace, request.path_values.at(0), ""};
  if (fields.has("event")) {
    const Fields event = fields.message("event");
    CORTEX_ASSIGN_OR_RETURN(out.event, read_event(event));
  }
  CORTEX_RETURN_IF_ERROR(fields.status());
  return out;
}

// The hook is read on a thread of the store's, the receiver asked on one of the sender's.
void try_out(const Context& context, const std::shared_ptr<Exchange>& exchange) {
  if (context.webhooks == nullptr) return fail(*exchange, webhooks_off());
  auto call = read_trial(exchange->request());
  if (!call.ok()) return fail(*exchange, call.status());
  auto trial = std::make_shared<connectors::WebhookSender::Trial>();
  connectors::WebhookSender* sender = context.webhooks;
  store::Store::Work work = [sender, trial, wanted = *call](Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        *trial, sender->make_trial(transaction, wanted.workspace, wanted.id, wanted.event)
    );
    return {};
  };
  context.store.read(std::move(work), [sender, trial, exchange](const Status& status) {
    if (!status.ok()) return fail(*exchange, status);
    sender->try_out(std::move(*trial), [exchange](const Result<connectors::AttemptResult>& result) {
      if (!result.ok()) return fail(*exchange, result.status());
      reply_json(*exchange, trial_text(*result));
    });
  });
}

MlflowRoute trial_route() {
  MlflowRoute route;
  route.method = Method::kPost;
  route.pattern = "/webhooks/{webhook_id}/test";
  route.scope = Scope::kAdmin;
  route.summary = "Send an example to a webhook";
  route.handler = try_out;
  route.body_bytes_limit = kJsonBytesLimit;
  return route;
}

}  // namespace

// Who reads webhooks sees where a company's receivers are: that is an admin's.
std::vector<MlflowRoute> webhook_routes() {
  constexpr Scope kAdmin = Scope::kAdmin;
  constexpr std::string_view kOne = "/webhooks/{webhook_id}";
  return {
      json_route(Method::kPost, "/webhooks", kAdmin, "Make a webhook", create_webhook),
      json_route(Method::kGet, "/webhooks", kAdmin, "Webhooks, the newest first", list_webhooks),
      json_route(Method::kGet, kOne, kAdmin, "A webhook by its id", get_webhook),
      json_route(Method::kPatch, kOne, kAdmin, "Change a webhook", update_webhook),
      json_route(Method::kDelete, kOne, kAdmin, "Delete a webhook", remove_webhook),
      json_route(
          Method::kGet,
          "/webhooks/{webhook_id}/deliveries",
          kAdmin,
          "What a webhook was told, the newest first",
          deliveries
      ),
      trial_route(),
  };
}

}  // namespace cortex::frontend::mlflow
