// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/anthropic/content_blocks.h"

#include <optional>
#include <string_view>
#include <utility>

#include "frontend/codec/anthropic/messages_request.h"
#include "frontend/codec/detail/field_rows.h"

namespace cortex::frontend::anthropic {
namespace {

namespace ondemand = simdjson::ondemand;

using Given = std::optional<std::string>;

// One block of a content, with what was given of it. `type` may stand behind what it says about
// the rest.
struct Block {
  std::string type;
  Given text;
  Given thinking;
  Given signature;  // of what a model thought
  Given data;       // of the same, where nobody can read it
  Given id;
  Given name;
  Given input;        // of a call: JSON
  Given tool_use_id;  // of a result: the call that it answers
  std::string content;
};

// A field that every block of a type has; `filled`: an empty text is none.
struct RequiredField {
  std::string_view type;
  std::string_view name;
  Given Block::* member;
  bool filled;
};

constexpr RequiredField kRequired[] = {
    {"text", "text", &Block::text, false},
    {"thinking", "thinking", &Block::thinking, false},
    {"thinking", "signature", &Block::signature, false},
    {"redacted_thinking", "data", &Block::data, false},
    {"tool_use", "id", &Block::id, true},
    {"tool_use", "name", &Block::name, true},
    {"tool_use", "input", &Block::input, true},
    {"tool_result", "tool_use_id", &Block::tool_use_id, true},
};

Status check_required(const Block& block, const std::string& where) {
  for (const RequiredField& field : kRequired) {
    if (field.type != block.type) continue;
    const Given& given = block.*field.member;
    if (given && !(field.filled && given->empty())) continue;
    return missing_field(where + "." + std::string(field.name));
  }
  return {};
}

Status read_block_field(
    std::string_view key, ondemand::value value, const std::string& where, Block& block
) {
  const std::string name = where + "." + std::string(key);
  if (key == "type") return read_text(value, name, block.type);
  if (key == "content") return read_texts(value, name, block.content);
  if (key == "input") {
    std::string_view input;
    CORTEX_RETURN_IF_ERROR(read_json(value, input));
    block.input = input;
    return {};
  }
  const RequiredField* const field = find_row(kRequired, key);
  if (field == nullptr) return skip_value(value);  // cache_control, is_error, …
  return read_text(value, name, (block.*field->member).emplace());
}

Status unsupported_block(const Block& block, const std::string& where) {
  if (block.type.empty()) return missing_field(where + ".type");
  return invalid_argument(
             "'" + where + "' has type '" + block.type + "', which is not supported here"
  )
      .with_field(where)
      .with_reason("unsupported_content_type");
}

// Calls `take(block, where)` for each block of a list.
template <typename Take>
Status for_each_block(ondemand::value value, const std::string& where, Take&& take) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(where, "a string or a list of blocks");
  std::size_t count = 0;
  return for_each_element(array, [&](ondemand::value element) -> Status {
    if (count >= kBlocksMax) {
      return field_error(where, "a list of at most " + std::to_string(kBlocksMax) + " blocks");
    }
    const std::string place = element_name(where, count++);
    Block block;
    CORTEX_RETURN_IF_ERROR(for_each_given(
        element,
        place,
        [&](std::string_view key, ondemand::value field) {
          return read_block_field(key, field, place, block);
        }
    ));
    return take(std::move(block), place);
  });
}

Result<bool> is_string(ondemand::value value) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  return type == ondemand::json_type::string;
}

// What the blocks of one message come to.
struct Said {
  Message message;
  std::vector<Message> results;  // of tools
  bool some = false;             // a text or a call
};

Status add_call(Block&& block, const std::string& where, Said& said) {
  if (block.input->front() != '{') return field_error(where + ".input", "an object");
  said.message.tool_calls.push_back(
      {std::move(*block.id), std::move(*block.name), std::move(*block.input)}
  );
  said.some = true;
  return {};
}

void add_result(Block&& block, Said& said) {
  Message& result = said.results.emplace_back();
  result.role = Role::kTool;
  result.content = std::move(block.content);
  result.tool_call_id = std::move(*block.tool_use_id);
}

bool may_say(Role role, std::string_view type) {
  if (type == "text") return true;
  if (role != Role::kAssistant) return type == "tool_result";
  return type == "thinking" || type == "redacted_thinking" || type == "tool_use";
}

Status add_block(Block&& block, const std::string& where, Said& said) {
  if (!may_say(said.message.role, block.type)) return unsupported_block(block, where);
  CORTEX_RETURN_IF_ERROR(check_required(block, where));
  if (block.type == "tool_use") return add_call(std::move(block), where, said);
  if (block.type == "tool_result") {
    add_result(std::move(block), said);
  } else if (block.type == "text") {
    said.message.content.append(*block.text);
    said.some = true;
  } else if (block.type == "thinking") {
    said.message.reasoning.append(*block.thinking);
  }
  return {};
}

Status read_content(ondemand::value value, const std::string& where, Said& said) {
  CORTEX_ASSIGN_OR_RETURN(const bool text, is_string(value));
  if (text) {
    said.some = true;
    return read_text(value, where, said.message.content);
  }
  return for_each_block(value, where, [&](Block&& block, const std::string& place) {
    return add_block(std::move(block), place, said);
  });
}

Status read_role(std::string_view role, const std::string& where, Message& message) {
  if (role.empty()) return missing_field(where + ".role");
  if (role != "user" && role != "assistant") {
    return field_error(where + ".role", "'user' or 'assistant'");
  }
  message.role = role == "user" ? Role::kUser : Role::kAssistant;
  return {};
}

// What blocks may say depends on the role, which may stand behind them: it is looked for first.
Status find_role(ondemand::object object, const std::string& where, Message& message) {
  std::string role;
  ondemand::value value;
  if (!object.find_field_unordered("role").get(value)) {
    CORTEX_RETURN_IF_ERROR(read_text(value, where + ".role", role));
  }
  CORTEX_RETURN_IF_ERROR(read_role(role, where, message));
  return object.reset().error() ? malformed_json("an object that ends early") : Status();
}

}  // namespace

Status read_texts(ondemand::value value, const std::string& where, std::string& text) {
  CORTEX_ASSIGN_OR_RETURN(const bool plain, is_string(value));
  if (plain) return read_text(value, where, text);
  return for_each_block(value, where, [&](Block&& block, const std::string& place) {
    if (block.type != "text") return unsupported_block(block, place);
    CORTEX_RETURN_IF_ERROR(check_required(block, place));
    text.append(*block.text);
    return Status();
  });
}

Status read_message(
    ondemand::value value, const std::string& where, std::vector<Message>& messages
) {
  ondemand::object object;
  if (value.get_object().get(object)) return field_error(where, "an object");
  Said said;
  CORTEX_RETURN_IF_ERROR(find_role(object, where, said.message));
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value field) {
    if (key == "role") return Status();
    if (key != "content") return skip_value(field);
    return with_field_name(read_content(field, where + ".content", said), where + ".content");
  }));
  if (!said.some && said.results.empty() && said.message.reasoning.empty()) {
    return missing_field(where + ".content");
  }
  for (Message& result : said.results) messages.push_back(std::move(result));
  const bool only_results = !said.some && !said.results.empty();
  if (!only_results) messages.push_back(std::move(said.message));
  return {};
}

}  // namespace cortex::frontend::anthropic
