// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/chat_tools.h"

#include <algorithm>
#include <string>
#include <utility>

#include "frontend/codec/detail/request_fields.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kToolNameMax = 64;

Status read_parameters(ondemand::value value, const std::string& where, Tool& tool) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type != ondemand::json_type::object) return field_error(where, "a JSON Schema");
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  tool.parameters = text;
  return {};
}

Status read_function_field(
    std::string_view key, ondemand::value value, const std::string& where, Tool& tool
) {
  const std::string name = where + "." + std::string(key);
  if (key == "name") return read_text(value, name, tool.name);
  if (key == "description") return read_text(value, name, tool.description);
  if (key == "parameters") return read_parameters(value, name, tool);
  if (key == "strict") return read_bool(value, name, tool.strict);
  return skip_value(value);
}

Status read_function(ondemand::value value, const std::string& where, Tool& tool) {
  CORTEX_RETURN_IF_ERROR(for_each_given(value, where, [&](std::string_view key, auto field) {
    return read_function_field(key, field, where, tool);
  }));
  if (is_tool_name(tool.name, kToolNameMax)) return {};
  return field_error(
      where + ".name",
      "1 to " + std::to_string(kToolNameMax) + " letters, digits, underscores, dashes and dots"
  );
}

Status add_tool(ondemand::value value, const std::string& where, Conversation& conversation) {
  Tool tool;
  std::string type;
  bool function = false;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) -> Status {
        if (key == "type") return read_text(field, where + ".type", type);
        if (key != "function") return skip_value(field);
        function = true;
        return read_function(field, where + ".function", tool);
      }
  ));
  if (type != "function") return field_error(where + ".type", "'function'");
  if (!function) return field_error(where + ".function", "given");
  const auto& tools = conversation.tools;
  const bool twice = std::any_of(tools.begin(), tools.end(), [&](const Tool& other) {
    return other.name == tool.name;
  });
  if (twice) return field_error(where + ".function.name", "a name that no other tool has");
  conversation.tools.push_back(std::move(tool));
  return {};
}

Status read_choice_word(ondemand::value value, std::string_view name, Conversation& conversation) {
  std::string_view word;
  CORTEX_RETURN_IF_ERROR(read_string(value, name, word));
  if (word == "auto") conversation.tool_choice = ToolChoice::kAuto;
  if (word == "none") conversation.tool_choice = ToolChoice::kNone;
  if (word == "required") conversation.tool_choice = ToolChoice::kRequired;
  if (word == "auto" || word == "none" || word == "required") return {};
  return field_error(name, "'none', 'auto', 'required' or an object that names a function");
}

Status read_chosen_function(
    ondemand::value value, const std::string& where, Conversation& conversation
) {
  ondemand::object object;
  if (value.get_object().get(object)) return field_error(where, "an object");
  return for_each_field(object, [&](std::string_view key, ondemand::value field) -> Status {
    if (key != "name") return skip_value(field);
    return read_text(field, where + ".name", conversation.tool_name);
  });
}

Status read_choice_object(
    ondemand::value value, std::string_view name, Conversation& conversation
) {
  ondemand::object object;
  if (value.get_object().get(object)) {
    return field_error(name, "'none', 'auto', 'required' or an object that names a function");
  }
  std::string type;
  CORTEX_RETURN_IF_ERROR(for_each_field(
      object,
      [&](std::string_view key, ondemand::value field) -> Status {
        const std::string where = std::string(name) + "." + std::string(key);
        if (key == "type") return read_text(field, where, type);
        if (key == "function") return read_chosen_function(field, where, conversation);
        return skip_value(field);
      }
  ));
  if (type != "function") return field_error(std::string(name) + ".type", "'function'");
  conversation.tool_choice = ToolChoice::kNamed;
  return {};
}

}  // namespace

Status read_tools(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of tools");
  Conversation& conversation = draft.conversation;
  return for_each_element(array, [&](ondemand::value tool) -> Status {
    const std::size_t count = conversation.tools.size();
    if (count >= kToolsMax) {
      return field_error(name, "a list of at most " + std::to_string(kToolsMax) + " tools");
    }
    return add_tool(tool, std::string(name) + "[" + std::to_string(count) + "]", conversation);
  });
}

Status read_tool_choice(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return read_choice_word(value, name, draft.conversation);
  return read_choice_object(value, name, draft.conversation);
}

Status read_parallel_tool_calls(
    ondemand::value value, std::string_view name, GenerationDraft& draft
) {
  return read_bool(value, name, draft.conversation.parallel_tool_calls);
}

Status check_tool_choice(const Conversation& conversation) {
  const ToolChoice choice = conversation.tool_choice;
  if (choice == ToolChoice::kAuto || choice == ToolChoice::kNone) return {};
  if (conversation.tools.empty()) {
    return invalid_argument("'tool_choice' asks for a call, but there are no 'tools'")
        .with_field("tool_choice");
  }
  if (choice == ToolChoice::kRequired) return {};
  const bool known =
      std::any_of(conversation.tools.begin(), conversation.tools.end(), [&](const Tool& tool) {
        return tool.name == conversation.tool_name;
      });
  if (known) return {};
  return invalid_argument(
             "'tool_choice' names '" + conversation.tool_name + "', which is not among 'tools'"
  )
      .with_field("tool_choice.function.name");
}

}  // namespace cortex::frontend::openai
