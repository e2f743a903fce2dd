// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/response_tools.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/generation_bounds.h"

namespace cortex::frontend::responses {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kFunctionNameMax = 128;

Status refuse_type(const std::string& where, const std::string& type) {
  if (type.empty()) return missing_field(where + ".type");
  return unsupported_field(
      where + ".type", "'" + type + "' would run in the server: tools are the client's functions"
  );
}

Status read_function(
    ondemand::value value, const std::string& where, std::string& type, Tool& tool
) {
  return for_each_given(value, where, [&](std::string_view key, ondemand::value field) -> Status {
    const std::string name = where + "." + std::string(key);
    if (key == "type") return read_text(field, name, type);
    if (key == "name") return read_text(field, name, tool.name);
    if (key == "description") return read_text(field, name, tool.description);
    if (key == "strict") return read_bool(field, name, tool.strict);
    if (key != "parameters") return skip_value(field);
    std::string_view schema;
    CORTEX_RETURN_IF_ERROR(read_json(field, schema));
    tool.parameters = schema;
    return schema.starts_with('{') ? Status() : field_error(name, "a JSON Schema");
  });
}

Status add_function(ondemand::value value, const std::string& where, std::vector<Tool>& tools) {
  std::string type;
  Tool tool;
  CORTEX_RETURN_IF_ERROR(read_function(value, where, type, tool));
  if (type != "function") return refuse_type(where, type);
  if (!is_tool_name(tool.name, kFunctionNameMax)) {
    return field_error(where + ".name", "1 to 128 letters, digits, underscores, dashes and dots");
  }
  const bool twice = std::any_of(tools.begin(), tools.end(), [&](const Tool& other) {
    return other.name == tool.name;
  });
  if (twice) return field_error(where + ".name", "a name that no other tool has");
  tools.push_back(std::move(tool));
  return {};
}

Status set_choice_word(std::string_view word, std::string_view name, Conversation& conversation) {
  constexpr std::pair<std::string_view, ToolChoice> kChoices[] = {
      {"auto", ToolChoice::kAuto}, {"none", ToolChoice::kNone}, {"required", ToolChoice::kRequired}
  };
  for (const auto& [known, choice] : kChoices) {
    if (known != word) continue;
    conversation.tool_choice = choice;
    return {};
  }
  return field_error(name, "'none', 'auto', 'required' or an object that names a function");
}

}  // namespace

Status read_response_tools(
    ondemand::value value, std::string_view name, Conversation& conversation
) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of tools");
  auto& tools = conversation.tools;
  return for_each_element(array, [&](ondemand::value tool) -> Status {
    if (tools.size() >= kToolsMax) {
      return field_error(name, "a list of at most " + std::to_string(kToolsMax) + " tools");
    }
    return add_function(tool, element_name(name, tools.size()), tools);
  });
}

Status read_response_tool_choice(
    ondemand::value value, std::string_view name, Conversation& conversation
) {
  ondemand::json_type kind{};
  if (const auto error = value.type().get(kind)) return malformed_json(error);
  if (kind == ondemand::json_type::string) {
    std::string_view word;
    CORTEX_RETURN_IF_ERROR(read_string(value, name, word));
    return set_choice_word(word, name, conversation);
  }
  std::string type;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) -> Status {
        const std::string where = std::string(name) + "." + std::string(key);
        if (key == "type") return read_text(field, where, type);
        return key == "name" ? read_text(field, where, conversation.tool_name) : skip_value(field);
      }
  ));
  if (type != "function") return refuse_type(std::string(name), type);
  conversation.tool_choice = ToolChoice::kNamed;
  return {};
}

void append_one_line(std::string& out, std::string_view json) {
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (space && !quoted) continue;
    out.push_back(c);
    if (c == '"') quoted = !quoted;
    if (c == '\\' && i + 1 < json.size()) out.push_back(json[++i]);
  }
}

std::string tools_text(const Conversation& conversation) {
  std::string out = "[";
  for (const Tool& tool : conversation.tools) {
    out.append(out.back() == '[' ? "" : ",").append(R"({"type":"function","name":)");
    append_json_string(out, tool.name);
    out.append(R"(,"description":)");
    if (tool.description.empty()) {
      out.append("null");
    } else {
      append_json_string(out, tool.description);
    }
    out.append(R"(,"parameters":)");
    append_one_line(out, tool.parameters.empty() ? "null" : tool.parameters);
    out.append(tool.strict ? R"(,"strict":true})" : R"(,"strict":false})");
  }
  return out.append("]");
}

std::string tool_choice_text(const Conversation& conversation) {
  switch (conversation.tool_choice) {
    case ToolChoice::kAuto:
      return R"("auto")";
    case ToolChoice::kNone:
      return R"("none")";
    case ToolChoice::kRequired:
      return R"("required")";
    case ToolChoice::kNamed:
      break;
  }
  std::string out = R"({"type":"function","name":)";
  append_json_string(out, conversation.tool_name);
  return out.append("}");
}

}  // namespace cortex::frontend::responses
