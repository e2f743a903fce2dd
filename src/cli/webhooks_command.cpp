// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/listing.h"
#include "cli/detail/server_call.h"
#include "cli/detail/table.h"
#include "config/loader.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

constexpr std::string_view kWebhooksRoot = "/api/v2/webhooks";

struct WebhookFlags {
  std::string id;
  std::string name;
  std::string url;
  std::string description;
  std::string event;
  std::vector<std::string> events;
  std::size_t limit = 100;
  bool on = false;
  bool off = false;
  bool as_json = false;
};

class WebhookCalls {
 public:
  WebhookCalls(Context& context, net::HttpClient client, const WebhookFlags& flags)
      : context_(context), client_(std::move(client)), flags_(flags) {}

  Status list() {
    return show_list(
        std::string(kWebhooksRoot) + limit(),
        "webhooks",
        {{"ID", "id"},
         {"NAME", "name"},
         {"ACTIVE", "active"},
         {"URL", "url"},
         {"EVENTS", "", events_text},
         {"WHY OFF", "status_message"}}
    );
  }

  Status show() { return print("GET", target()); }

  Status create() {
    json::object wanted = change();
    wanted["url"] = flags_.url;
    return print("POST", std::string(kWebhooksRoot), wanted);
  }

  Status change_one() {
    if (flags_.on && flags_.off) return invalid_argument("--on and --off exclude each other");
    return print("PATCH", target(), change());
  }

  Status remove() {
    CORTEX_RETURN_IF_ERROR(send("DELETE", target()).status());
    context_.out << flags_.id << " is deleted\n";
    return {};
  }

  Status deliveries() {
    return show_list(
        target() + "/deliveries" + limit(),
        "deliveries",
        {{"SEQ", "seq"},
         time_column("LAST ATTEMPT", "last_attempt_at"),
         {"EVENT", "event"},
         {"STATUS", "status"},
         {"ATTEMPTS", "attempts"},
         {"ANSWER", "response_status"},
         {"ERROR", "error"}}
    );
  }

  // An example that does not arrive is a failure.
  Status test() {
    json::object wanted;
    if (!flags_.event.empty()) wanted.emplace("event", flags_.event);
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask("POST", target() + "/test", wanted));
    context_.out << pretty(answer);
    if (cell(member(answer, "delivered")) == "true") return {};
    return failed_precondition("the receiver did not take the example");
  }

 private:
  static std::string events_text(const json::value& webhook) {
    std::string out;
    const json::value* events = member(webhook, "events");
    if (events == nullptr || !events->is_array()) return out;
    for (const json::value& event : events->get_array()) {
      out += (out.empty() ? "" : ", ") + cell(&event);
    }
    return out;
  }

  [[nodiscard]] std::string target() const {
    return std::string(kWebhooksRoot) + "/" + net::path_segment(flags_.id);
  }
  [[nodiscard]] std::string limit() const { return "?limit=" + std::to_string(flags_.limit); }

  // What the flags say, and the secret, which no other process of the machine may see.
  [[nodiscard]] json::object change() const {
    json::object out;
    if (!flags_.name.empty()) out.emplace("name", flags_.name);
    if (!flags_.url.empty()) out.emplace("url", flags_.url);
    if (!flags_.description.empty()) out.emplace("description", flags_.description);
    if (!flags_.events.empty()) {
      out.emplace("events", json::array(flags_.events.begin(), flags_.events.end()));
    }
    if (flags_.on || flags_.off) out.emplace("active", flags_.on);
    const config::Environment environment = config::process_environment();
    const auto secret = environment.find("CORTEX_WEBHOOK_SECRET");
    if (secret != environment.end()) out.emplace("secret", secret->second);
    return out;
  }

  Result<net::HttpAnswer> send(
      std::string_view method, const std::string& target, const json::value& body = {}
  ) {
    const std::string text = body.is_object() ? json::serialize(body) : std::string();
    net::HttpCall request;
    request.method = method;
    request.target = target;
    request.body = text;
    return call(client_, request);
  }

  Result<json::value> ask(
      std::string_view method, const std::string& target, const json::value& body = {}
  ) {
    CORTEX_ASSIGN_OR_RETURN(const net::HttpAnswer answer, send(method, target, body));
    return parse_json(answer.body, "the answer");
  }

  Status print(std::string_view method, const std::string& target, const json::value& body = {}) {
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask(method, target, body));
    context_.out << pretty(answer);
    return {};
  }

  Status show_list(
      const std::string& target, std::string_view list, const std::vector<Column>& columns
  ) {
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask("GET", target));
    if (!flags_.as_json) return print_list(context_, answer, list, columns);
    context_.out << pretty(answer);
    return {};
  }

  Context& context_;
  net::HttpClient client_;
  const WebhookFlags& flags_;
};

using WebhookFlagsPtr = std::shared_ptr<WebhookFlags>;

Command add_one(
    const Command& group,
    const WebhookFlagsPtr& flags,
    const CommandText& text,
    Status (WebhookCalls::*call)()
) {
  const Command command = add_server_call(group, flags, text, call);
  command.option("id", flags->id, "The webhook's id").required().type("ID");
  return command;
}

void add_list_flags(const Command& command, WebhookFlags& flags) {
  command.option("--limit", flags.limit, "How many at most").type("N");
  command.flag("--json", flags.as_json, "Print the server's answer as it is");
}

void add_change_flags(const Command& command, WebhookFlags& flags) {
  command.option("--description", flags.description, "What it is for").type("TEXT");
  command.option("--event", flags.events, "What it is told of; once for every event")
      .type("EVENT")
      .one_value_a_time();
  command.footer("CORTEX_WEBHOOK_SECRET is the secret that signs what is sent.");
}

}  // namespace

void add_webhooks_command(const Command& root) {
  const Command group = root.add_group("webhooks", "Who is told of changes of the registry.");
  auto flags = std::make_shared<WebhookFlags>();
  add_list_flags(
      add_server_call(group, flags, {"list", "List the webhooks."}, &WebhookCalls::list), *flags
  );
  add_one(group, flags, {"show", "Print a webhook."}, &WebhookCalls::show);
  const Command create =
      add_server_call(group, flags, {"create", "Make a webhook."}, &WebhookCalls::create);
  create.option("name", flags->name, "Its name").required();
  create.option("receiver", flags->url, "Where it is told").required().type("URL");
  add_change_flags(create, *flags);
  const Command change =
      add_one(group, flags, {"change", "Change a webhook."}, &WebhookCalls::change_one);
  change.option("--name", flags->name, "Its name").type("TEXT");
  change.option("--to", flags->url, "Where it is told").type("URL");
  change.flag("--on", flags->on, "Switch it on; it is told of what comes from now on");
  change.flag("--off", flags->off, "Switch it off");
  add_change_flags(change, *flags);
  add_one(group, flags, {"delete", "Delete a webhook with its log."}, &WebhookCalls::remove);
  add_list_flags(
      add_one(group, flags, {"deliveries", "What a webhook was told."}, &WebhookCalls::deliveries),
      *flags
  );
  const Command test =
      add_one(group, flags, {"test", "Send an example to a webhook now."}, &WebhookCalls::test);
  test.option("--event", flags->event, "Which; the first of the webhook's if it is not named");
}

}  // namespace cortex::cli::detail
