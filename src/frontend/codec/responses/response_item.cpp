// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/response_item.h"

#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/openai/logprobs.h"
#include "request/buffer.h"

namespace cortex::frontend::responses {
namespace {

namespace ondemand = simdjson::ondemand;
using Kind = Item::Kind;

struct RoleWord {
  std::string_view word;
  Role role;
};

constexpr RoleWord kRoleWords[] = {
    {"user", Role::kUser},
    {"assistant", Role::kAssistant},
    {"system", Role::kSystem},
    {"developer", Role::kDeveloper},
};

std::string_view role_word(Role role) {
  for (const RoleWord& row : kRoleWords) {
    if (row.role == role) return row.word;
  }
  return "user";
}

// One item while its fields come in any order.
struct ReadItem {
  Item item;
  std::string type;
  std::string role;
  bool content = false;
  bool output = false;
};

struct ReadPart {
  std::string_view type;
  std::string_view text;
  bool has_text = false;
};

bool is_text_part(std::string_view type) {
  constexpr std::string_view kTypes[] = {
      "input_text", "output_text", "text", "refusal", "reasoning_text", "summary_text"
  };
  for (const std::string_view known : kTypes) {
    if (known == type) return true;
  }
  return false;
}

Status unsupported_kind(const std::string& where, std::string_view type, std::string_view why) {
  return invalid_argument(
             "'" + where + "' has type '" + std::string(type) +
             "', which is not supported: " + std::string(why)
  )
      .with_field(where)
      .with_reason("unsupported_content_type");
}

Status read_part(ondemand::value value, const std::string& where, Item& item) {
  ReadPart part;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) -> Status {
        const std::string name = where + "." + std::string(key);
        if (key == "type") return read_string(field, name, part.type);
        if (key != "text" && key != "refusal") return skip_value(field);  // annotations, logprobs
        part.has_text = true;
        return read_string(field, name, part.text);
      }
  ));
  if (part.type.empty()) return missing_field(where + ".type");
  if (!is_text_part(part.type)) {
    return unsupported_kind(where, part.type, "this server reads text");
  }
  if (!part.has_text) return missing_field(where + ".text");
  item.parts.emplace_back(part.text);
  return {};
}

// A text, or a list of parts.
Status read_parts(ondemand::value value, const std::string& where, Item& item) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) {
    return read_text(value, where, item.parts.emplace_back());
  }
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(where, "a string or a list of parts");
  std::size_t count = 0;
  return for_each_element(array, [&](ondemand::value part) -> Status {
    if (item.parts.size() >= kItemPartsMax) {
      return field_error(where, "a list of at most " + std::to_string(kItemPartsMax) + " parts");
    }
    return read_part(part, element_name(where, count++), item);
  });
}

Status read_id(ondemand::value value, const std::string& where, std::string& id) {
  CORTEX_RETURN_IF_ERROR(read_text(value, where, id));
  if (id.size() <= kItemIdBytesMax) return {};
  return field_error(where, "at most " + std::to_string(kItemIdBytesMax) + " bytes long");
}

Status read_item_field(
    std::string_view key, ondemand::value value, const std::string& where, ReadItem& read
) {
  const std::string name = where + "." + std::string(key);
  Item& item = read.item;
  if (key == "type") return read_text(value, name, read.type);
  if (key == "id") return read_id(value, name, item.id);
  if (key == "role") return read_text(value, name, read.role);
  if (key == "content") {
    read.content = true;
    return read_parts(value, name, item);
  }
  if (key == "output") {
    read.output = true;
    return read_parts(value, name, item);
  }
  if (key == "call_id") return read_id(value, name, item.call_id);
  if (key == "name") return read_text(value, name, item.name);
  if (key == "arguments") return read_text(value, name, item.arguments);
  return skip_value(value);  // status, summary, encrypted_content
}

Status settle_message(const std::string& where, ReadItem& read) {
  read.item.kind = Kind::kMessage;
  if (read.role.empty()) return missing_field(where + ".role");
  for (const RoleWord& row : kRoleWords) {
    if (row.word != read.role) continue;
    read.item.role = row.role;
    return read.content ? Status() : missing_field(where + ".content");
  }
  return field_error(where + ".role", "'user', 'assistant', 'system' or 'developer'");
}

Status settle_call(const std::string& where, Item& item) {
  item.kind = Kind::kCall;
  item.role = Role::kAssistant;
  if (item.name.empty()) return missing_field(where + ".name");
  return item.call_id.empty() ? missing_field(where + ".call_id") : Status();
}

Status settle_output(const std::string& where, ReadItem& read) {
  read.item.kind = Kind::kCallOutput;
  read.item.role = Role::kTool;
  if (read.item.call_id.empty()) return missing_field(where + ".call_id");
  return read.output ? Status() : missing_field(where + ".output");
}

Status settle_item(const std::string& where, ReadItem& read) {
  const std::string& type = read.type;
  if (type == "message" || (type.empty() && !read.role.empty())) return settle_message(where, read);
  if (type.empty()) return missing_field(where + ".type");
  if (type == "function_call") return settle_call(where, read.item);
  if (type == "function_call_output") return settle_output(where, read);
  if (type == "reasoning") {
    read.item.kind = Kind::kReasoning;
    read.item.role = Role::kAssistant;
    return {};
  }
  return unsupported_kind(
      where, type, "items are message, function_call, function_call_output and reasoning"
  );
}

Status add_item(ondemand::value value, const std::string& where, std::vector<Item>& items) {
  ReadItem read;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) -> Status {
        return with_field_name(
            read_item_field(key, field, where, read), where + "." + std::string(key)
        );
      }
  ));
  CORTEX_RETURN_IF_ERROR(settle_item(where, read));
  items.push_back(std::move(read.item));
  return {};
}

Status add_items(ondemand::array array, std::string_view name, std::vector<Item>& items) {
  std::size_t count = 0;
  return for_each_element(array, [&](ondemand::value item) -> Status {
    if (count >= kItemsMax) {
      return field_error(name, "a list of at most " + std::to_string(kItemsMax) + " items");
    }
    return add_item(item, element_name(name, count++), items);
  });
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out.append(out.back() == '{' ? "\"" : ",\"").append(name).append("\":");
  append_json_string(out, text);
}

std::string_view part_type(const Item& item) {
  if (item.kind == Kind::kReasoning) return "reasoning_text";
  return item.role == Role::kAssistant ? "output_text" : "input_text";
}

void append_parts(std::string& out, const Item& item) {
  out.push_back('[');
  for (const std::string& part : item.parts) {
    if (out.back() != '[') out.push_back(',');
    append_part(out, item, part);
  }
  out.push_back(']');
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out.append(part);
  return out;
}

// Where a thought, words or a call of the assistant belong: to his turn, while it is open for them.
Message& turn_of_assistant(std::vector<Message>& messages, Kind kind) {
  const bool begun = !messages.empty() && messages.back().role == Role::kAssistant;
  const bool open = begun && messages.back().tool_calls.empty() && messages.back().content.empty();
  if (open || (begun && kind == Kind::kCall)) return messages.back();
  messages.emplace_back().role = Role::kAssistant;
  return messages.back();
}

void append_message(const Item& item, std::vector<Message>& messages) {
  if (item.role == Role::kAssistant) {
    Message& turn = turn_of_assistant(messages, item.kind);
    if (item.kind == Kind::kCall) {
      turn.tool_calls.push_back({item.call_id, item.name, item.arguments});
    } else {
      std::string& to = item.kind == Kind::kReasoning ? turn.reasoning : turn.content;
      to.append(joined(item.parts));
    }
    return;
  }
  Message& message = messages.emplace_back();
  message.role = item.role;
  message.content = joined(item.parts);
  message.tool_call_id = item.call_id;
}

}  // namespace

Status read_input(ondemand::value value, std::string_view name, std::vector<Item>& items) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) {
    return read_text(value, name, items.emplace_back().parts.emplace_back());
  }
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a string or a list of items");
  CORTEX_RETURN_IF_ERROR(add_items(array, name, items));
  return items.empty() ? field_error(name, "a list of at least one item") : Status();
}

Status read_kept_items(const std::string& text, std::vector<Item>& items) {
  std::string padded = text;
  padded.resize(text.size() + Buffer::kPadding);
  HotJson json(std::string_view(padded).substr(0, text.size()), HotJson::Parser::kOwn);
  ondemand::array array;
  Status status = json.array(array);
  if (status.ok()) status = add_items(array, "items", items);
  return status.ok() ? status : internal("a kept response cannot be read: " + status.text());
}

void append_part(std::string& out, const Item& item, std::string_view text) {
  out.append(R"({"type":")").append(part_type(item)).push_back('"');
  append_member(out, "text", text);
  if (item.kind == Kind::kMessage && item.role == Role::kAssistant) {
    out.append(R"(,"annotations":[],"logprobs":)");
    openai::append_token_list(out, item.tokens);
  }
  out.push_back('}');
}

void append_item(std::string& out, const Item& item) {
  out.push_back('{');
  append_member(out, "id", item.id);
  switch (item.kind) {
    case Kind::kMessage:
      append_member(out, "type", "message");
      append_member(out, "status", item.status);
      append_member(out, "role", role_word(item.role));
      out.append(R"(,"content":)");
      append_parts(out, item);
      break;
    case Kind::kReasoning:
      append_member(out, "type", "reasoning");
      append_member(out, "status", item.status);
      out.append(R"(,"summary":[],"content":)");
      append_parts(out, item);
      break;
    case Kind::kCall:
      append_member(out, "type", "function_call");
      append_member(out, "status", item.status);
      append_member(out, "call_id", item.call_id);
      append_member(out, "name", item.name);
      append_member(out, "arguments", item.arguments);
      break;
    case Kind::kCallOutput:
      append_member(out, "type", "function_call_output");
      append_member(out, "status", item.status);
      append_member(out, "call_id", item.call_id);
      append_member(out, "output", joined(item.parts));
      break;
  }
  out.push_back('}');
}

void append_items(std::string& out, const std::vector<Item>& items) {
  out.push_back('[');
  for (const Item& item : items) {
    if (out.back() != '[') out.push_back(',');
    append_item(out, item);
  }
  out.push_back(']');
}

void append_messages(const std::vector<Item>& items, std::vector<Message>& messages) {
  for (const Item& item : items) append_message(item, messages);
}

}  // namespace cortex::frontend::responses
