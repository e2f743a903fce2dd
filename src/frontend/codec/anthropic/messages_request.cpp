// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/anthropic/messages_request.h"

#include <algorithm>
#include <cfloat>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "frontend/codec/anthropic/content_blocks.h"
#include "frontend/codec/detail/field_rows.h"
#include "frontend/codec/detail/sampling_fields.h"

namespace cortex::frontend::anthropic {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::int64_t kInt32Max = std::numeric_limits<std::int32_t>::max();

// What is read of a body before it is known to make sense together.
struct Draft {
  MessagesCall call;
  Conversation conversation;
  std::string system;
};

using Row = FieldRow<Draft>;

Status read_unit(ondemand::value value, std::string_view name, float& out) {
  double number = 0;
  if (!read_number(value, name, number).ok() || number < 0 || number > 1) {
    return field_error(name, "a number from 0 to 1");
  }
  out = static_cast<float>(number);
  return {};
}

Status read_model(ondemand::value value, std::string_view name, Draft& draft) {
  return read_text(value, name, draft.call.model);
}

Status read_max_tokens(ondemand::value value, std::string_view name, Draft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {1, kInt32Max}, number));
  draft.call.input.tokens_max = static_cast<std::size_t>(number);
  return {};
}

Status read_list(ondemand::value value, std::string_view name, Draft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of messages");
  std::size_t count = 0;
  auto& messages = draft.conversation.messages;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value message) -> Status {
    if (count >= kMessagesMax) {
      return field_error(name, "a list of at most " + std::to_string(kMessagesMax) + " messages");
    }
    return read_message(message, element_name(name, count++), messages);
  }));
  return messages.empty() ? field_error(name, "a list of at least one message") : Status();
}

Status read_system(ondemand::value value, std::string_view name, Draft& draft) {
  return read_texts(value, std::string(name), draft.system);
}

Status read_stream(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bool(value, name, draft.call.stream);
}

Status read_stop_sequences(ondemand::value value, std::string_view name, Draft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of strings");
  return for_each_element(array, [&](ondemand::value text) {
    return add_stop(text, name, draft.call.input.stop);
  });
}

Status read_temperature(ondemand::value value, std::string_view name, Draft& draft) {
  return read_unit(value, name, draft.call.input.sampling.temperature);
}

Status read_top_p(ondemand::value value, std::string_view name, Draft& draft) {
  float& top_p = draft.call.input.sampling.top_p;
  CORTEX_RETURN_IF_ERROR(read_unit(value, name, top_p));
  top_p = std::max(top_p, FLT_MIN);  // 0 leaves the likeliest
  return {};
}

Status read_top_k(ondemand::value value, std::string_view name, Draft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kInt32Max}, number));
  draft.call.input.sampling.top_k = static_cast<std::int32_t>(number);
  return {};
}

Status read_tool_field(
    std::string_view key, ondemand::value value, const std::string& where, Tool& tool
) {
  const std::string name = where + "." + std::string(key);
  if (key == "name") return read_text(value, name, tool.name);
  if (key == "description") return read_text(value, name, tool.description);
  if (key == "strict") return read_bool(value, name, tool.strict);
  if (key == "type") {
    std::string type;
    CORTEX_RETURN_IF_ERROR(read_text(value, name, type));
    if (type == "custom") return {};
    return unsupported_field(name, "tools are the client's own, of type 'custom'");
  }
  if (key != "input_schema") return skip_value(value);  // cache_control, input_examples, …
  std::string_view schema;
  CORTEX_RETURN_IF_ERROR(read_json(value, schema));
  if (!schema.starts_with('{')) return field_error(name, "a JSON Schema");
  tool.parameters = schema;
  return {};
}

bool is_tool_name(std::string_view name) {
  constexpr std::size_t kMost = 128;
  if (name.empty() || name.size() > kMost) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Status add_tool(ondemand::value value, const std::string& where, std::vector<Tool>& tools) {
  Tool tool;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) {
        return read_tool_field(key, field, where, tool);
      }
  ));
  if (!is_tool_name(tool.name)) {
    return field_error(where + ".name", "1 to 128 letters, digits, underscores and dashes");
  }
  const bool twice = std::any_of(tools.begin(), tools.end(), [&](const Tool& other) {
    return other.name == tool.name;
  });
  if (twice) return field_error(where + ".name", "a name that no other tool has");
  tools.push_back(std::move(tool));
  return {};
}

Status read_tools(ondemand::value value, std::string_view name, Draft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of tools");
  auto& tools = draft.conversation.tools;
  return for_each_element(array, [&](ondemand::value tool) -> Status {
    if (tools.size() >= kToolsMax) {
      return field_error(name, "a list of at most " + std::to_string(kToolsMax) + " tools");
    }
    return add_tool(tool, element_name(name, tools.size()), tools);
  });
}

Status set_tool_choice(const std::string& type, Conversation& conversation) {
  constexpr std::pair<std::string_view, ToolChoice> kWords[] = {
      {"auto", ToolChoice::kAuto},
      {"any", ToolChoice::kRequired},
      {"tool", ToolChoice::kNamed},
      {"none", ToolChoice::kNone},
  };
  for (const auto& [word, choice] : kWords) {
    if (word != type) continue;
    conversation.tool_choice = choice;
    return {};
  }
  return field_error("tool_choice.type", "'auto', 'any', 'tool' or 'none'");
}

Status read_tool_choice(ondemand::value value, std::string_view name, Draft& draft) {
  std::string type;
  bool alone = false;
  Conversation& conversation = draft.conversation;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) {
        const std::string place = std::string(name) + "." + std::string(key);
        if (key == "type") return read_text(field, place, type);
        if (key == "name") return read_text(field, place, conversation.tool_name);
        return key == "disable_parallel_tool_use" ? read_bool(field, place, alone)
                                                  : skip_value(field);
      }
  ));
  conversation.parallel_tool_calls = !alone;
  return set_tool_choice(type, conversation);
}

// How long a model thinks is its own business; whether it does may be its template's.
Status read_thinking(ondemand::value value, std::string_view name, Draft& draft) {
  std::string type;
  const std::string place = std::string(name) + ".type";
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) {
        return key == "type" ? read_text(field, place, type) : skip_value(field);
      }
  ));
  if (type != "enabled" && type != "adaptive" && type != "disabled") {
    return field_error(place, "'enabled', 'adaptive' or 'disabled'");
  }
  draft.conversation.template_arguments =
      type == "disabled" ? R"({"enable_thinking":false})" : R"({"enable_thinking":true})";
  return {};
}

Status read_format(ondemand::value value, const std::string& name, OutputFormat& format) {
  std::string type;
  std::string_view schema;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) {
        if (key == "type") return read_text(field, name + ".type", type);
        return key == "schema" ? read_json(field, schema) : skip_value(field);
      }
  ));
  format.text = schema;
  format.field = name;
  if (type != "json_schema") return field_error(name + ".type", "'json_schema'");
  if (format.text.empty()) return missing_field(name + ".schema");
  if (format.text.front() != '{') return field_error(name + ".schema", "a JSON Schema");
  format.kind = OutputFormat::Kind::kJsonSchema;
  return {};
}

Status read_output_config(ondemand::value value, std::string_view name, Draft& draft) {
  return for_each_given(value, name, [&](std::string_view key, ondemand::value field) {
    const std::string place = std::string(name) + "." + std::string(key);
    if (key == "format") return read_format(field, place, draft.call.input.format);
    return key == "effort" ? skip_value(field) : unknown_field(place);
  });
}

// Both mean what is done anyway: there are no tiers here.
Status read_service_tier(ondemand::value value, std::string_view name, Draft&) {
  std::string tier;
  CORTEX_RETURN_IF_ERROR(read_text(value, name, tier));
  const bool known = tier == "auto" || tier == "standard_only";
  return known ? Status() : field_error(name, "'auto' or 'standard_only'");
}

Status read_over(ondemand::value value, std::string_view, Draft&) { return skip_value(value); }

constexpr Row kRows[] = {
    {"model", read_model},
    {"max_tokens", read_max_tokens},
    {"messages", read_list},
    {"system", read_system},
    {"stream", read_stream},
    {"stop_sequences", read_stop_sequences},
    {"temperature", read_temperature},
    {"top_p", read_top_p},
    {"top_k", read_top_k},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"thinking", read_thinking},
    {"output_config", read_output_config},
    // Of accounts, places and caches.
    {"metadata", read_over},
    {"service_tier", read_service_tier},
    {"cache_control", read_over},
    {"inference_geo", read_over},
    {"speed", read_over},
    {"user_profile_id", read_over},
    {"workspace_id", read_over},
    {"diagnostics", read_over},
};

Status check_choice(const Conversation& conversation) {
  const ToolChoice choice = conversation.tool_choice;
  if (choice == ToolChoice::kAuto || choice == ToolChoice::kNone) return {};
  if (conversation.tools.empty()) {
    return invalid_argument("'tool_choice' asks for a call, but there are no 'tools'")
        .with_field("tool_choice");
  }
  const bool known =
      choice == ToolChoice::kRequired ||
      std::any_of(conversation.tools.begin(), conversation.tools.end(), [&](const Tool& tool) {
        return tool.name == conversation.tool_name;
      });
  return known ? Status() : field_error("tool_choice.name", "the name of one of 'tools'");
}

Status settle(Draft& draft, bool counted) {
  if (draft.call.model.empty()) return missing_field("model");
  if (!counted && draft.call.input.tokens_max == 0) return missing_field("max_tokens");
  Conversation& conversation = draft.conversation;
  if (conversation.messages.empty()) return missing_field("messages");
  CORTEX_RETURN_IF_ERROR(check_choice(conversation));
  if (!draft.system.empty()) {
    Message system;
    system.role = Role::kSystem;
    system.content = std::move(draft.system);
    conversation.messages.insert(conversation.messages.begin(), std::move(system));
  }
  draft.call.input.prompt = std::move(conversation);
  return {};
}

Result<MessagesCall> read_body(std::string_view padded_body, bool counted) {
  Draft draft;
  CORTEX_RETURN_IF_ERROR(read_field_rows(padded_body, kRows, draft));
  CORTEX_RETURN_IF_ERROR(settle(draft, counted));
  return std::move(draft.call);
}

}  // namespace

Result<MessagesCall> read_messages(std::string_view padded_body) {
  return read_body(padded_body, false);
}

Result<MessagesCall> read_counted_messages(std::string_view padded_body) {
  return read_body(padded_body, true);
}

}  // namespace cortex::frontend::anthropic
