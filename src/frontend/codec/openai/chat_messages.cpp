// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/chat_messages.h"

#include <string>
#include <utility>

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

struct RoleName {
  std::string_view name;
  Role role;
};

constexpr RoleName kRoles[] = {
    {"system", Role::kSystem},
    {"developer", Role::kDeveloper},
    {"user", Role::kUser},
    {"assistant", Role::kAssistant},
    {"tool", Role::kTool},
};

// One part of a content. `type` may stand behind `text`.
struct Part {
  std::string_view type;
  std::string_view text;
  bool has_text = false;
};

Status read_part_field(
    std::string_view key, ondemand::value value, const std::string& where, Part& part
) {
  if (key == "type") return read_string(value, where + ".type", part.type);
  if (key != "text" && key != "refusal") return skip_value(value);
  part.has_text = true;
  return read_string(value, where + "." + std::string(key), part.text);
}

Status add_part(ondemand::value value, const std::string& where, std::string& content) {
  Part part;
  CORTEX_RETURN_IF_ERROR(for_each_given(value, where, [&](std::string_view key, auto field) {
    return read_part_field(key, field, where, part);
  }));
  if (part.type != "text" && part.type != "refusal") {
    if (part.type.empty()) return missing_field(where + ".type");
    return invalid_argument(
               "'" + where + "' has type '" + std::string(part.type) +
               "', which is not supported: this server reads text"
    )
        .with_field(where)
        .with_reason("unsupported_content_type");
  }
  if (!part.has_text) return missing_field(where + ".text");
  content.append(part.text);
  return {};
}

// A string, or parts.
Status read_content(ondemand::value value, const std::string& where, std::string& content) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return read_text(value, where, content);
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(where, "a string or a list of parts");
  content.clear();
  std::size_t count = 0;
  return for_each_element(array, [&](ondemand::value part) -> Status {
    if (count >= kContentPartsMax) {
      return field_error(where, "a list of at most " + std::to_string(kContentPartsMax) + " parts");
    }
    return add_part(part, element_name(where, count++), content);
  });
}

// Arguments are the text of an object; some clients send the object.
Status read_arguments(ondemand::value value, const std::string& where, std::string& out) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return read_text(value, where, out);
  if (type != ondemand::json_type::object) return field_error(where, "a string of JSON");
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  out = text;
  return {};
}

Status read_called_function(ondemand::value value, const std::string& where, ToolCall& call) {
  return for_each_given(value, where, [&](std::string_view key, ondemand::value field) -> Status {
    if (key == "name") return read_text(field, where + ".name", call.name);
    if (key == "arguments") return read_arguments(field, where + ".arguments", call.arguments);
    return skip_value(field);
  });
}

Status add_call(ondemand::value value, const std::string& where, Message& message) {
  ToolCall& call = message.tool_calls.emplace_back();
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) -> Status {
        if (key == "id") return read_text(field, where + ".id", call.id);
        if (key == "function") return read_called_function(field, where + ".function", call);
        return skip_value(field);
      }
  ));
  return call.name.empty() ? missing_field(where + ".function.name") : Status();
}

Status read_calls(ondemand::value value, const std::string& where, Message& message) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(where, "a list of calls");
  return for_each_element(array, [&](ondemand::value call) -> Status {
    const std::size_t count = message.tool_calls.size();
    if (count >= kToolCallsMax) {
      return field_error(where, "a list of at most " + std::to_string(kToolCallsMax) + " calls");
    }
    return add_call(call, element_name(where, count), message);
  });
}

// One message while its fields come in any order.
struct ReadMessage {
  Message message;
  std::string role;
  std::string refusal;
  bool content = false;
};

Status read_role(const std::string& where, ReadMessage& read) {
  if (read.role.empty()) return missing_field(where + ".role");
  for (const RoleName& known : kRoles) {
    if (known.name != read.role) continue;
    read.message.role = known.role;
    return {};
  }
  return field_error(where + ".role", "'system', 'developer', 'user', 'assistant' or 'tool'");
}

Status read_message_field(
    std::string_view key, ondemand::value value, const std::string& where, ReadMessage& read
) {
  Message& message = read.message;
  const std::string name = where + "." + std::string(key);
  if (key == "role") return read_text(value, name, read.role);
  if (key == "content") {
    read.content = true;
    return read_content(value, name, message.content);
  }
  if (key == "reasoning_content" || key == "reasoning") {
    return read_text(value, name, message.reasoning);
  }
  if (key == "refusal") return read_text(value, name, read.refusal);
  if (key == "tool_calls") return read_calls(value, name, message);
  if (key == "tool_call_id") return read_text(value, name, message.tool_call_id);
  if (key == "name") return read_text(value, name, message.name);
  if (key == "function_call") return unsupported_field(name, "tools took its place: 'tool_calls'");
  return skip_value(value);
}

// OpenAI's own servers give a refusal in a field of its own, without content: it was the answer.
Status add_message(ondemand::value value, const std::string& where, Conversation& conversation) {
  ReadMessage read;
  CORTEX_RETURN_IF_ERROR(for_each_given(value, where, [&](std::string_view key, auto field) {
    Status status = read_message_field(key, field, where, read);
    if (status.ok() || !status.field().empty()) return status;
    return status.with_field(where + "." + std::string(key));
  }));
  CORTEX_RETURN_IF_ERROR(read_role(where, read));
  if (!read.content && !read.refusal.empty()) {
    read.content = true;
    read.message.content = std::move(read.refusal);
  }
  const bool may_be_empty = read.message.role == Role::kAssistant &&
                            (!read.message.tool_calls.empty() || !read.message.reasoning.empty());
  if (!read.content && !may_be_empty) return missing_field(where + ".content");
  conversation.messages.push_back(std::move(read.message));
  return {};
}

}  // namespace

Status read_messages(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of messages");
  Conversation& conversation = draft.conversation;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value message) -> Status {
    const std::size_t count = conversation.messages.size();
    if (count >= kMessagesMax) {
      return field_error(name, "a list of at most " + std::to_string(kMessagesMax) + " messages");
    }
    return add_message(message, element_name(name, count), conversation);
  }));
  if (conversation.messages.empty()) return field_error(name, "a list of at least one message");
  return {};
}

Status read_add_generation_prompt(
    ondemand::value value, std::string_view name, GenerationDraft& draft
) {
  return read_bool(value, name, draft.generation_prompt.emplace());
}

Status read_continue_final_message(
    ondemand::value value, std::string_view name, GenerationDraft& draft
) {
  return read_bool(value, name, draft.continue_last.emplace());
}

Status settle_last_message(GenerationDraft& draft) {
  std::optional<bool>& goes_on = draft.conversation.continue_last;
  goes_on = draft.continue_last;
  if (draft.generation_prompt) {
    if (goes_on == draft.generation_prompt) {
      return invalid_argument(
                 "'add_generation_prompt' and 'continue_final_message' contradict each other"
      )
          .with_field("continue_final_message");
    }
    goes_on = !*draft.generation_prompt;
  }
  if (!goes_on.value_or(false) || may_continue(draft.conversation)) return {};
  return invalid_argument(
             "only a last message of the assistant's, with text and without calls, can be gone on "
             "with"
  )
      .with_field(draft.continue_last ? "continue_final_message" : "add_generation_prompt");
}

}  // namespace cortex::frontend::openai
