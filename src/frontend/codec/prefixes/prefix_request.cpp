// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/prefixes/prefix_request.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/openai/chat_messages.h"
#include "frontend/codec/openai/chat_tools.h"

namespace cortex::frontend::prefixes {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kNameMax = 64;
constexpr std::size_t kSaltMax = 256;
constexpr std::size_t kAdapterMax = 255;
constexpr double kScaleMax = 100;

struct Draft {
  PrefixRequest prefix;
  openai::GenerationDraft chat;
  std::string prompt;
  bool has_messages = false;
  bool has_prompt = false;
};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

Status read_short(
    ondemand::value value, std::string_view name, std::size_t most, std::string& out
) {
  CORTEX_RETURN_IF_ERROR(read_text(value, name, out));
  if (out.size() <= most) return {};
  return field_error(name, "a text of at most " + std::to_string(most) + " bytes");
}

Status read_scale(ondemand::value value, std::string_view name, float& out) {
  double number = 0;
  CORTEX_RETURN_IF_ERROR(read_number(value, name, number));
  if (number < -kScaleMax || number > kScaleMax) return field_error(name, "between -100 and 100");
  out = static_cast<float>(number);
  return {};
}

Status read_one(std::string_view key, ondemand::value value, Draft& draft) {
  if (key == "name") return read_text(value, key, draft.prefix.name);
  if (key == "adapter") return read_short(value, key, kAdapterMax, draft.prefix.adapter);
  if (key == "adapter_scale") return read_scale(value, key, draft.prefix.adapter_scale);
  if (key == "cache_salt") return read_short(value, key, kSaltMax, draft.prefix.cache_salt);
  if (key == "tools") return openai::read_tools(value, key, draft.chat);
  if (key == "messages") {
    if (std::exchange(draft.has_messages, true)) return field_error(key, "there once");
    return openai::read_messages(value, key, draft.chat);
  }
  if (key != "prompt") return unknown_field(key);
  draft.has_prompt = true;
  return read_text(value, key, draft.prompt);
}

Status settle(Draft& draft) {
  if (draft.prefix.name.empty()) return missing_field("name");
  if (!is_name(draft.prefix.name)) {
    return field_error("name", "1 to 64 letters, digits, '-', '_' or '.'");
  }
  if (draft.has_messages == draft.has_prompt) {
    return invalid_argument("either 'messages' or 'prompt' is needed").with_field("messages");
  }
  if (draft.has_prompt) {
    if (draft.prompt.empty()) return field_error("prompt", "a text that is not empty");
    if (!draft.chat.conversation.tools.empty()) return field_error("tools", "beside 'messages'");
    Prompt prompt;
    prompt.text = std::move(draft.prompt);
    draft.prefix.prompt = std::move(prompt);
  } else {
    if (draft.chat.conversation.messages.empty()) {
      return field_error("messages", "a list of at least one message");
    }
    draft.prefix.prompt = std::move(draft.chat.conversation);
  }
  return {};
}

}  // namespace

Result<PrefixRequest> read_prefix(std::string_view padded_body) {
  Draft draft;
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  CORTEX_RETURN_IF_ERROR(for_each_field(
      object,
      [&](std::string_view key, ondemand::value value) -> Status {
        bool null = false;
        if (const auto error = value.is_null().get(null)) return malformed_json(error);
        return null ? Status() : with_field_name(read_one(key, value, draft), key);
      }
  ));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  CORTEX_RETURN_IF_ERROR(settle(draft));
  return std::move(draft.prefix);
}

}  // namespace cortex::frontend::prefixes
