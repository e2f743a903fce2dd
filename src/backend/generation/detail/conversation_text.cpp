// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/conversation_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/json_text.h"

namespace cortex::backend {
namespace {

std::string_view role_word(Role role) {
  switch (role) {
    case Role::kSystem:
    case Role::kDeveloper:  // no template knows it
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      break;
  }
  return "tool";
}

bool is_system(const Message& message) {
  return message.role == Role::kSystem || message.role == Role::kDeveloper;
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

std::string_view object_or_empty(const std::string& json) {
  return json.empty() ? std::string_view("{}") : std::string_view(json);
}

std::string tool_json(const Tool& tool) {
  std::string out = R"({"type":"function","function":{)";
  append_member(out, "name", tool.name);
  if (!tool.description.empty()) append_member(out, "description", tool.description);
  out += R"(,"parameters":)";
  return out.append(object_or_empty(tool.parameters)).append("}}");
}

std::string tools_json(const std::vector<Tool>& tools) {
  std::string out = "[";
  for (const Tool& tool : tools) {
    if (out.size() > 1) out += ',';
    out += tool_json(tool);
  }
  return out + "]";
}

// Calls as the model would have written them.
std::string call_text(const ToolCall& call) {
  std::string out = "<tool_call>\n{";
  append_member(out, "name", call.name);
  out += R"(,"arguments":)";
  return out.append(object_or_empty(call.arguments)).append("}\n</tool_call>");
}

std::string tool_instructions(const std::vector<Tool>& tools) {
  std::string out =
      "You may call functions to help with the user's question. The functions, as JSON:\n<tools>\n";
  for (const Tool& tool : tools) out.append(tool_json(tool)).append("\n");
  return out +
         "</tools>\nTo call one, answer with its name and arguments as JSON between marks, and "
         "with "
         "nothing else:\n<tool_call>\n{\"name\": \"...\", \"arguments\": {...}}\n</tool_call>";
}

std::string joined(const std::string& first, const std::string& second) {
  return first.empty() || second.empty() ? first + second : first + "\n\n" + second;
}

void say_calls_as_text(std::vector<Message>& messages) {
  for (Message& message : messages) {
    for (const ToolCall& call : std::exchange(message.tool_calls, {})) {
      message.content = joined(message.content, call_text(call));
    }
    if (message.role != Role::kTool) continue;
    message.role = Role::kUser;
    message.content = "<tool_response>\n" + message.content + "\n</tool_response>";
    message.tool_call_id.clear();
  }
}

void tell_of_tools(std::vector<Message>& messages, const std::vector<Tool>& tools) {
  if (messages.empty() || !is_system(messages.front())) {
    messages.insert(messages.begin(), Message{});
    messages.front().role = Role::kSystem;
  }
  messages.front().content = joined(messages.front().content, tool_instructions(tools));
}

void move_system_to_user(std::vector<Message>& messages) {
  std::string said;
  for (const Message& message : messages) {
    if (is_system(message)) said = joined(said, message.content);
  }
  std::erase_if(messages, is_system);
  if (said.empty()) return;
  const auto user = std::ranges::find(messages, Role::kUser, &Message::role);
  if (user != messages.end()) {
    user->content = joined(said, user->content);
    return;
  }
  Message first;
  first.content = std::move(said);
  messages.insert(messages.begin(), std::move(first));
}

std::string message_json(const Message& message) {
  std::string out = "{";
  append_member(out, "role", role_word(message.role));
  append_member(out, "content", message.content);
  if (!message.name.empty()) append_member(out, "name", message.name);
  if (!message.reasoning.empty()) append_member(out, "reasoning_content", message.reasoning);
  if (!message.tool_call_id.empty()) append_member(out, "tool_call_id", message.tool_call_id);
  if (message.tool_calls.empty()) return out + "}";
  out += R"(,"tool_calls":[)";
  for (const ToolCall& call : message.tool_calls) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_member(out, "id", call.id);
    out += R"(,"type":"function","function":{)";
    append_member(out, "name", call.name);
    append_member(out, "arguments", std::string(object_or_empty(call.arguments)));
    out += "}}";
  }
  return out + "]}";
}

}  // namespace

std::vector<Tool> callable_tools(const Conversation& conversation) {
  std::vector<Tool> out;
  if (conversation.tool_choice == ToolChoice::kNone) return out;
  for (const Tool& tool : conversation.tools) {
    const bool wanted =
        conversation.tool_choice != ToolChoice::kNamed || tool.name == conversation.tool_name;
    if (wanted) out.push_back(tool);
  }
  return out;
}

text::TemplateInput template_input(
    const Conversation& conversation, const text::ChatTemplate::Capabilities& knows
) {
  std::vector<Message> messages = conversation.messages;
  const std::vector<Tool> tools = callable_tools(conversation);
  if (!knows.tool_calls) say_calls_as_text(messages);
  if (!tools.empty() && !knows.tools) tell_of_tools(messages, tools);
  if (!knows.system_role) move_system_to_user(messages);
  text::TemplateInput out;
  out.messages = "[";
  for (const Message& message : messages) {
    if (out.messages.size() > 1) out.messages += ',';
    out.messages += message_json(message);
  }
  out.messages += ']';
  if (!tools.empty() && knows.tools) out.tools = tools_json(tools);
  out.arguments = conversation.template_arguments;
  out.now = unix_milliseconds() / 1000;
  const bool goes_on = may_continue(conversation) && conversation.continue_last.value_or(true);
  out.continue_last = goes_on;
  out.add_generation_prompt = !goes_on;
  return out;
}

}  // namespace cortex::backend
