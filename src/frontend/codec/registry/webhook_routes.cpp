// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include <boost/json.hpp>

#include "base/clock.h"
#include "connectors/delivery_log.h"
#include "connectors/webhook.h"
#include "connectors/webhook_sender.h"
#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_request.h"
#include "frontend/codec/registry/registry_route.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;
using connectors::AttemptResult;
using connectors::Delivery;
using connectors::Webhook;
using connectors::WebhookSender;
using store::Transaction;

constexpr std::int64_t kPageStandard = 100;
constexpr std::int64_t kPageMax = 1000;

std::string webhook_path(const std::string& id) { return "/api/v2/webhooks/" + id; }

// The secret is never among what is written.
json::object webhook_document(const Webhook& webhook) {
  json::array events;
  for (const std::string& event : webhook.events) events.emplace_back(event);
  json::object out{{"id", webhook.id}, {"name", webhook.name}};
  if (!webhook.description.empty()) out.emplace("description", webhook.description);
  out.emplace("url", webhook.url);
  out.emplace("events", std::move(events));
  out.emplace("active", webhook.active);
  if (!webhook.status_message.empty()) out.emplace("status_message", webhook.status_message);
  out.emplace("created_at", webhook.created_at);
  out.emplace("updated_at", webhook.updated_at);
  return out;
}

// What an attempt came to: the receiver's answer, or why there was none.
void put_attempt(json::object& out, const AttemptResult& result) {
  if (result.response_status != 0) {
    out.emplace("response_status", result.response_status);
    out.emplace("response_body", result.response_head);
  }
  if (!result.error.empty()) out.emplace("error", result.error);
  out.emplace("duration_ms", result.duration_ms);
}

json::object delivery_document(const Delivery& delivery) {
  json::object out{
      {"id", delivery.id},
      {"seq", delivery.seq},
      {"event", delivery.event},
      {"status", connectors::delivery_status_name(delivery.status)},
      {"attempts", delivery.attempts},
      {"first_attempt_at", delivery.created_at},
      {"last_attempt_at", delivery.updated_at},
  };
  if (delivery.next_attempt_at != 0) out.emplace("next_attempt_at", delivery.next_attempt_at);
  put_attempt(out, delivery.last);
  return out;
}

std::vector<std::string> read_events(const Fields& fields, const WebhookSender& sender) {
  std::vector<std::string> events = fields.text_list("events");
  for (const std::string& event : events) {
    if (!sender.feed().knows(event)) fields.refuse("events", "there is no event '" + event + "'");
  }
  return events;
}

Result<std::string> seal(
    const WebhookSender& sender, const std::string& secret, const std::string& id
) {
  if (secret.size() <= connectors::kWebhookSecretBytesMax) return sender.secrets().seal(secret, id);
  return invalid_argument(
      "secret: is longer than " + std::to_string(connectors::kWebhookSecretBytesMax) + " bytes"
  );
}

Result<Plan> create_webhook(const WebhookSender& sender, const Call& call) {
  connectors::NewWebhook wanted;
  wanted.id = connectors::new_webhook_id();
  wanted.name = call.fields.required_text("name");
  wanted.url = call.fields.required_text("url");
  wanted.description = call.fields.text("description");
  wanted.events = read_events(call.fields, sender);
  wanted.active = call.fields.flag_if("active").value_or(true);
  const std::string secret = call.fields.text("secret");
  CORTEX_RETURN_IF_ERROR(call.fields.finish());
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  CORTEX_RETURN_IF_ERROR(sender.check_url(wanted.url));
  CORTEX_ASSIGN_OR_RETURN(wanted.sealed_secret, seal(sender, secret, wanted.id));
  return Plan::write(
      [wanted = std::move(wanted),
       author = call.author,
       &feed = sender.feed()](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const std::int64_t cursor, feed.head(transaction, author.workspace)
        );
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook made,
            connectors::create_webhook(transaction, author.workspace, wanted, cursor, author.at)
        );
        answer.status = 201;
        answer.location = webhook_path(made.id);
        say_entity(answer, webhook_document(made));
        return {};
      }
  );
}

Result<Plan> list_webhooks(const Call& call) {
  const std::int64_t limit = call.query.integer("limit", {kPageStandard, 1, kPageMax});
  return Plan::read(
      [limit,
       token = call.query.text("page_token"),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto page,
            connectors::list_webhooks(
                transaction, workspace, static_cast<std::size_t>(limit), token
            )
        );
        json::array webhooks;
        for (const Webhook& webhook : page.webhooks) webhooks.push_back(webhook_document(webhook));
        say(answer, {{"webhooks", std::move(webhooks)}, {"next_page_token", page.next_page_token}});
        return {};
      }
  );
}

Result<Plan> get_webhook(const Call& call) {
  return Plan::read(
      [id = call.path_value(0),
       workspace = call.author.workspace,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook webhook, connectors::find_webhook(transaction, workspace, id)
        );
        say_entity(answer, webhook_document(webhook));
        return answer_known(precondition, answer);
      }
  );
}

Status check_webhook(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const Precondition& precondition,
    Answer& answer
) {
  if (!precondition.asked()) return {};
  CORTEX_ASSIGN_OR_RETURN(
      const Webhook webhook, connectors::find_webhook(transaction, workspace, id)
  );
  return check_entity(precondition, webhook_document(webhook), answer);
}

Result<connectors::WebhookChange> read_webhook_change(
    const WebhookSender& sender, const Call& call
) {
  const Fields& fields = call.fields;
  connectors::WebhookChange out;
  out.name = fields.text_if("name");
  out.url = fields.text_if("url");
  out.description = fields.text_if("description");
  if (fields.has("events")) out.events = read_events(fields, sender);
  out.active = fields.flag_if("active");
  const auto secret = fields.text_if("secret");
  CORTEX_RETURN_IF_ERROR(fields.finish());
  if (out.url) CORTEX_RETURN_IF_ERROR(sender.check_url(*out.url));
  if (secret) {
    CORTEX_ASSIGN_OR_RETURN(out.sealed_secret, seal(sender, *secret, call.path_value(0)));
  }
  return out;
}

Result<Plan> change_webhook(const WebhookSender& sender, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(connectors::WebhookChange change, read_webhook_change(sender, call));
  return Plan::write(
      [change = std::move(change),
       id = call.path_value(0),
       author = call.author,
       precondition = call.precondition,
       &feed = sender.feed()](Transaction& transaction, Answer& answer) -> Status {
        const std::string& workspace = author.workspace;
        CORTEX_RETURN_IF_ERROR(check_webhook(transaction, workspace, id, precondition, answer));
        CORTEX_ASSIGN_OR_RETURN(const std::int64_t cursor, feed.head(transaction, workspace));
        CORTEX_ASSIGN_OR_RETURN(
            const Webhook changed,
            connectors::update_webhook(transaction, workspace, id, change, cursor, author.at)
        );
        say_entity(answer, webhook_document(changed));
        return {};
      }
  );
}

Result<Plan> remove_webhook(const Call& call) {
  return Plan::write(
      [id = call.path_value(0),
       workspace = call.author.workspace,
       precondition = call.precondition](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_RETURN_IF_ERROR(check_webhook(transaction, workspace, id, precondition, answer));
        answer.status = 204;
        return connectors::delete_webhook(transaction, workspace, id);
      }
  );
}

Result<Plan> list_deliveries(const Call& call) {
  const std::int64_t before = call.query.integer("before", {0, 0, INT64_MAX});
  const std::int64_t limit = call.query.integer("limit", {kPageStandard, 1, kPageMax});
  return Plan::read(
      [before,
       count = static_cast<std::size_t>(limit),
       id = call.path_value(0),
       workspace = call.author.workspace](Transaction& transaction, Answer& answer) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            auto found, connectors::list_deliveries(transaction, workspace, id, before, count + 1)
        );
        const bool more = found.size() > count;
        if (more) found.pop_back();
        json::array deliveries;
        for (const Delivery& delivery : found) deliveries.push_back(delivery_document(delivery));
        json::object document{{"deliveries", std::move(deliveries)}};
        if (more) document.emplace("next_before", found.back().seq);
        say(answer, document);
        return {};
      }
  );
}

// The hook is read on a thread of the store's, the receiver asked on one of the sender's.
Result<Plan> test_webhook(WebhookSender& sender, const Call& call) {
  const std::string event = call.fields.text("event");
  if (!event.empty() && !sender.feed().knows(event)) {
    call.fields.refuse("event", "there is no event '" + event + "'");
  }
  CORTEX_RETURN_IF_ERROR(call.precondition.refuse());
  auto trial = std::make_shared<WebhookSender::Trial>();
  Plan plan = Plan::read(
      [&sender,
       trial,
       event,
       id = call.path_value(0),
       workspace = call.author.workspace](Transaction& transaction, Answer&) -> Status {
        CORTEX_ASSIGN_OR_RETURN(*trial, sender.make_trial(transaction, workspace, id, event));
        return {};
      }
  );
  plan.later = [&sender, trial](Plan::Done done) {
    sender.try_out(std::move(*trial), [done](const Result<AttemptResult>& result) {
      if (!result.ok()) return done(result.status(), {});
      const int status = result->response_status;
      json::object document{{"delivered", status >= 200 && status < 300}};
      put_attempt(document, *result);
      Answer answer;
      say(answer, document);
      done({}, std::move(answer));
    });
  };
  return plan;
}

}  // namespace

// Who reads webhooks sees where a company's receivers are: that is an admin's.
std::vector<RegistryRoute> webhook_routes(WebhookSender& sender) {
  constexpr std::string_view kAll = "/webhooks";
  constexpr std::string_view kOne = "/webhooks/{webhook}";
  std::vector<RegistryRoute> routes = {
      {Method::kGet,
       kAll,
       "Webhooks, the newest first",
       "",
       "RegistryWebhookPage",
       200,
       token_parameters(),
       list_webhooks},
      {Method::kPost,
       kAll,
       "Make a webhook",
       "RegistryNewWebhook",
       "RegistryWebhook",
       201,
       once_parameters(),
       [&sender](const Call& call) { return create_webhook(sender, call); }},
      {Method::kGet, kOne, "A webhook", "", "RegistryWebhook", 200, known_parameters(), get_webhook
      },
      {Method::kPatch,
       kOne,
       "Change a webhook",
       "RegistryWebhookChange",
       "RegistryWebhook",
       200,
       match_parameters(),
       [&sender](const Call& call) { return change_webhook(sender, call); }},
      {Method::kDelete,
       kOne,
       "Delete a webhook with its log",
       "",
       "",
       204,
       match_parameters(),
       remove_webhook},
      {Method::kGet,
       "/webhooks/{webhook}/deliveries",
       "What a webhook was told, the newest first",
       "",
       "RegistryDeliveryPage",
       200,
       history_parameters(),
       list_deliveries},
      {Method::kPost,
       "/webhooks/{webhook}/test",
       "Send an example to a webhook now",
       "RegistryWebhookTest",
       "RegistryWebhookTrial",
       200,
       {},
       [&sender](const Call& call) { return test_webhook(sender, call); }},
  };
  for (RegistryRoute& route : routes) route.scope = Scope::kAdmin;
  return routes;
}

}  // namespace cortex::frontend::registry_api
