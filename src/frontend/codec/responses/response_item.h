// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/codec/detail/hot_json.h"
#include "request/generation.h"

namespace cortex::frontend::responses {

inline constexpr std::size_t kItemsMax = 4096;      // of one request
inline constexpr std::size_t kItemPartsMax = 1024;  // of one item
inline constexpr std::size_t kItemIdBytesMax = 128;
inline constexpr std::size_t kConversationItemsMax = 16384;  // with those of earlier responses

// One thing of a conversation as the Responses API has it: what somebody said, thought, called, or
// what a call came to.
struct Item {
  enum class Kind : std::uint8_t { kMessage, kReasoning, kCall, kCallOutput };
  Kind kind = Kind::kMessage;
  std::string id;                  // "msg_…"; of a client's item perhaps empty
  Role role = Role::kUser;         // of a message
  std::vector<std::string> parts;  // texts of a message, of a thought, of a call's output
  std::string call_id;             // of a call and of its output
  std::string name;                // of a call
  std::string arguments;           // of a call
  std::vector<TokenText> tokens;   // of our own message, where log probabilities were asked for
  std::string_view status = "completed";  // or "incomplete", "in_progress"; static text
};

// Reads `input`: a text (the user's message) or a list of items. kInvalidArgument names the field
// at fault; a kind that is not served here is named with its place.
[[nodiscard]] Status read_input(
    simdjson::ondemand::value value, std::string_view name, std::vector<Item>& items
);
// Reads a list that append_items() wrote; appends. A text that is none is kInternal.
[[nodiscard]] Status read_kept_items(const std::string& text, std::vector<Item>& items);

// Appends one item as JSON, and all of a list as an array.
void append_item(std::string& out, const Item& item);
void append_items(std::string& out, const std::vector<Item>& items);
// Appends the one part that our own messages and thoughts have.
void append_part(std::string& out, const Item& item, std::string_view text);

// Appends what the template of a model is given. The items of one turn of the assistant (thought,
// words, calls) become one message.
void append_messages(const std::vector<Item>& items, std::vector<Message>& messages);

}  // namespace cortex::frontend::responses
