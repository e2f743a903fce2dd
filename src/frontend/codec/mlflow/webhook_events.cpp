// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/webhook_events.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/json_value.h"
#include "frontend/codec/mlflow/registry_request.h"
#include "frontend/codec/mlflow/wire.h"
#include "registry/catalog/registered_model.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;

constexpr std::string_view kPromptTextTag = "mlflow.prompt.text";
constexpr auto kPromptOwnTags = std::to_array<std::string_view>(
    {"mlflow.prompt.is_prompt", "_mlflow_prompt_type", kPromptTextTag}
);

// Every event that MLflow knows, with the example that it sends for a try.
struct Example {
  std::string_view name;
  std::string_view data;
};
constexpr auto kExamples = std::to_array<Example>({
    {"registered_model.created",
     R"({"name":"example_model","tags":{"example_key":"example_value"},"description":"An example registered model"})"
    },
    {"model_version.created",
     R"({"name":"example_model","version":"1","source":"models:/123","run_id":"abcd1234abcd5678","tags":{"example_key":"example_value"},"description":"An example model version"})"
    },
    {"model_version_tag.set",
     R"({"name":"example_model","version":"1","key":"example_key","value":"example_value"})"},
    {"model_version_tag.deleted", R"({"name":"example_model","version":"1","key":"example_key"})"},
    {"model_version_alias.created",
     R"({"name":"example_model","alias":"example_alias","version":"1"})"},
    {"model_version_alias.deleted", R"({"name":"example_model","alias":"example_alias"})"},
    {"prompt.created",
     R"({"name":"example_prompt","tags":{"example_key":"example_value"},"description":"An example prompt"})"
    },
    {"prompt_version.created",
     R"({"name":"example_prompt","version":"1","template":"Hello {{name}}!","tags":{"example_key":"example_value"},"description":"An example prompt version"})"
    },
    {"prompt_tag.set", R"({"name":"example_prompt","key":"example_key","value":"example_value"})"},
    {"prompt_tag.deleted", R"({"name":"example_prompt","key":"example_key"})"},
    {"prompt_version_tag.set",
     R"({"name":"example_prompt","version":"1","key":"example_key","value":"example_value"})"},
    {"prompt_version_tag.deleted", R"({"name":"example_prompt","version":"1","key":"example_key"})"
    },
    {"prompt_alias.created", R"({"name":"example_prompt","alias":"example_alias","version":"1"})"},
    {"prompt_alias.deleted", R"({"name":"example_prompt","alias":"example_alias"})"},
    {"budget_policy.exceeded",
     R"({"budget_policy_id":"bp-abc123","budget_unit":"USD","budget_amount":100.0,"current_spend":105.5,"duration_unit":"MONTHS","duration_value":1,"target_scope":"ENDPOINT","workspace":"default","target_value":"ep-abc123","window_start":1704067200000})"
    },
});

const Example* find_example(std::string_view name) {
  const auto found = std::find_if(kExamples.begin(), kExamples.end(), [&](const Example& example) {
    return example.name == name;
  });
  return found == kExamples.end() ? nullptr : &*found;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

// As Python writes a time in UTC.
std::string time_text(std::int64_t milliseconds) {
  const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> out{};
  const std::size_t length = std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(1000 + milliseconds % 1000).substr(1);
  return std::string(out.data(), length) + "." + fraction + "000+00:00";
}

// The event around its data, which is JSON.
connectors::WebhookEvent make_event(
    std::int64_t seq,
    std::string_view name,
    std::int64_t at,
    std::string_view workspace,
    std::string_view data
) {
  const std::size_t dot = name.find('.');
  connectors::WebhookEvent out{seq, std::string(name), ""};
  JsonWriter writer(out.body);
  writer.open_object();
  writer.text("entity", name.substr(0, dot));
  writer.text("action", name.substr(dot + 1));
  writer.text("timestamp", time_text(at));
  if (workspace != "default") writer.text("workspace", workspace);
  out.body.append(R"(,"data":)").append(data).append("}");
  return out;
}

// One row of the audit log.
class Entry {
 public:
  explicit Entry(const registry::AuditRow& row) {
    auto value = parse_json_value(row.event);
    if (value.ok() && value->is_object()) fields_ = std::move(value->get_object());
  }

  [[nodiscard]] std::string text(std::string_view name) const {
    const json::value* value = fields_.if_contains({name.data(), name.size()});
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
  }
  [[nodiscard]] std::int64_t number(std::string_view name) const {
    const json::value* value = fields_.if_contains({name.data(), name.size()});
    json::error_code error;
    const std::int64_t out = value == nullptr ? 0 : value->to_number<std::int64_t>(error);
    return error ? 0 : out;
  }
  [[nodiscard]] registry::Tags tags() const {
    registry::Tags out;
    const auto value = parse_json_value(text("tags"));
    if (!value.ok() || !value->is_object()) return out;
    const json::object& members = value->get_object();
    for (const auto& [name, tag] : members) {
      if (!tag.is_string()) continue;
      const json::string& content = tag.get_string();
      out[std::string(name.data(), name.size())] = {content.data(), content.size()};
    }
    return out;
  }

 private:
  json::object fields_;
};

bool is_prompts_own(std::string_view tag) {
  return std::find(kPromptOwnTags.begin(), kPromptOwnTags.end(), tag) != kPromptOwnTags.end();
}

// Tags are names that clients chose: they are escaped, which JsonWriter's keys are not.
void append_tags(std::string& out, const registry::Tags& tags, bool prompt) {
  registry::Tags shown = tags;
  if (prompt) {
    std::erase_if(shown, [](const auto& tag) { return is_prompts_own(tag.first); });
  }
  out += R"(,"tags":)" + registry::tags_text(shown);
}

// Writes one object of texts; null where MLflow has None.
class DataWriter {
 public:
  DataWriter& text(std::string_view name, const std::string& value) {
    writer_.text(name, value);
    return *this;
  }
  DataWriter& version(const Entry& entry) {
    writer_.text("version", std::to_string(entry.number("version")));
    return *this;
  }
  DataWriter& text_or_null(std::string_view name, const std::string& value) {
    if (!value.empty()) return text(name, value);
    out_.append(R"(,")").append(name).append(R"(":null)");
    return *this;
  }
  DataWriter& tags(const registry::Tags& tags, bool prompt) {
    append_tags(out_, tags, prompt);
    return *this;
  }
  [[nodiscard]] std::string finish() {
    writer_.close_object();
    return std::move(out_);
  }
  explicit DataWriter(const Entry& entry) {
    writer_.open_object();
    writer_.text("name", entry.text("model"));
  }

 private:
  std::string out_;
  JsonWriter writer_{out_};
};

struct Told {
  std::string name;
  std::string data;
};

Told model_created(const Entry& entry) {
  const registry::Tags tags = entry.tags();
  const bool prompt = is_prompt(tags);
  DataWriter data(entry);
  data.tags(tags, prompt).text("description", entry.text("description"));
  return {prompt ? "prompt.created" : "registered_model.created", data.finish()};
}

Told version_created(const Entry& entry) {
  const registry::Tags tags = entry.tags();
  const bool prompt = is_prompt(tags);
  DataWriter data(entry);
  data.version(entry);
  if (prompt) {
    const auto text = tags.find(std::string(kPromptTextTag));
    data.text_or_null("template", text == tags.end() ? std::string() : text->second);
  } else {
    data.text("source", entry.text("source")).text_or_null("run_id", entry.text("run"));
  }
  data.tags(tags, prompt).text_or_null("description", entry.text("description"));
  return {prompt ? "prompt_version.created" : "model_version.created", data.finish()};
}

Told tag_changed(const Entry& entry, std::string entity, bool set) {
  DataWriter data(entry);
  if (entity != "prompt_tag") data.version(entry);
  data.text("key", entry.text("key"));
  if (set) data.text("value", entry.text("value"));
  return {std::move(entity) + (set ? ".set" : ".deleted"), data.finish()};
}

Told alias_changed(const Entry& entry, bool prompt) {
  const std::int64_t to = entry.number("to");
  DataWriter data(entry);
  data.text("alias", entry.text("alias"));
  if (to > 0) data.text("version", std::to_string(to));
  std::string name = prompt ? "prompt_alias" : "model_version_alias";
  return {std::move(name) + (to > 0 ? ".created" : ".deleted"), data.finish()};
}

std::optional<Told> told_of(const Entry& entry, bool prompt) {
  const std::string action = entry.text("action");
  const char* version_tag = prompt ? "prompt_version_tag" : "model_version_tag";
  if (action == "model.created") return model_created(entry);
  if (action == "version.created") return version_created(entry);
  if (action == "version.tag_set") return tag_changed(entry, version_tag, true);
  if (action == "version.tag_deleted") return tag_changed(entry, version_tag, false);
  if (prompt && action == "model.tag_set") return tag_changed(entry, "prompt_tag", true);
  if (prompt && action == "model.tag_deleted") return tag_changed(entry, "prompt_tag", false);
  const bool moved = action == "alias.set" || action == "alias.deleted" ||
                     action == "alias.rolled_back" || action == "alias.version_deleted";
  if (moved) return alias_changed(entry, prompt);
  return std::nullopt;
}

// Models that are gone count as models.
Result<bool> is_prompt_now(
    store::Transaction& transaction, const std::string& workspace, const std::string& model
) {
  const auto found = registry::find_model(transaction, workspace, model);
  if (found.ok()) return is_prompt(found->tags);
  if (found.status().code() == Code::kNotFound) return false;
  return found.status();
}

Result<connectors::EventPage> read_page(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t after,
    std::size_t limit
) {
  CORTEX_ASSIGN_OR_RETURN(
      const auto rows, registry::read_audit(transaction, workspace, after, limit)
  );
  connectors::EventPage out{{}, after};
  std::map<std::string, bool> prompts;
  for (const registry::AuditRow& row : rows) {
    const std::string model = Entry(row).text("model");
    auto known = prompts.find(model);
    if (known == prompts.end()) {
      CORTEX_ASSIGN_OR_RETURN(const bool prompt, is_prompt_now(transaction, workspace, model));
      known = prompts.emplace(model, prompt).first;
    }
    if (auto event = webhook_event_of(row, known->second)) out.events.push_back(std::move(*event));
    out.last = row.seq;
  }
  return out;
}

connectors::WebhookEvent example_event(std::string_view name, std::int64_t now) {
  const Example* example = find_example(name);
  return make_event(now, name, now, "default", example == nullptr ? "{}" : example->data);
}

}  // namespace

Result<std::string> webhook_event_name(std::string_view entity, std::string_view action) {
  std::string name = lower_case(entity) + "." + lower_case(action);
  if (find_example(name) != nullptr) return name;
  return invalid_argument(
      "Invalid action '" + lower_case(action) + "' for entity '" + lower_case(entity) + "'."
  );
}

WebhookEventParts webhook_event_parts(std::string_view name) {
  const std::size_t dot = std::min(name.find('.'), name.size() - 1);
  return {upper(name.substr(0, dot)), upper(name.substr(dot + 1))};
}

std::optional<connectors::WebhookEvent> webhook_event_of(
    const registry::AuditRow& row, bool is_prompt
) {
  const Entry entry(row);
  const auto told = told_of(entry, is_prompt);
  if (!told) return std::nullopt;
  return make_event(row.seq, told->name, entry.number("at"), entry.text("workspace"), told->data);
}

connectors::WebhookFeed webhook_feed() {
  return {
      read_page,
      [](store::Transaction& transaction, const std::string& workspace) -> Result<std::int64_t> {
        CORTEX_ASSIGN_OR_RETURN(
            const registry::AuditHead head, registry::audit_head(transaction, workspace)
        );
        return head.seq;
      },
      [](std::string_view name) { return find_example(name) != nullptr; },
      example_event
  };
}

}  // namespace cortex::frontend::mlflow
