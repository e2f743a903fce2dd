// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/tokens/tokens_request.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "frontend/codec/detail/field_rows.h"
#include "frontend/codec/openai/chat_messages.h"
#include "frontend/codec/openai/chat_tools.h"

namespace cortex::frontend::tokens {
namespace {

namespace ondemand = simdjson::ondemand;

// What is read of a body before it is known whose words it is in.
struct Draft {
  openai::GenerationDraft chat;  // the readers of a chat put its conversation here
  std::optional<std::string> prompt;
  std::optional<std::string> content;
  std::optional<bool> special;
  std::string template_arguments;
  std::vector<Token> tokens;
  bool has_tokens = false;
  bool pieces = false;
};

using Row = FieldRow<Draft>;

Status read_model(ondemand::value value, std::string_view name, Draft& draft) {
  return read_text(value, name, draft.chat.call.model);
}

Status read_prompt(ondemand::value value, std::string_view name, Draft& draft) {
  return read_text(value, name, draft.prompt.emplace());
}

Status read_content(ondemand::value value, std::string_view name, Draft& draft) {
  return read_text(value, name, draft.content.emplace());
}

Status read_messages(ondemand::value value, std::string_view name, Draft& draft) {
  return openai::read_messages(value, name, draft.chat);
}

Status read_tools(ondemand::value value, std::string_view name, Draft& draft) {
  return openai::read_tools(value, name, draft.chat);
}

Status read_special(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bool(value, name, draft.special.emplace());
}

Status read_pieces(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bool(value, name, draft.pieces);
}

Status read_only(
    ondemand::value value, std::string_view name, bool wanted, std::string_view otherwise
) {
  bool flag = wanted;
  CORTEX_RETURN_IF_ERROR(read_bool(value, name, flag));
  return flag == wanted ? Status() : unsupported_field(name, otherwise);
}

Status read_parse_special(ondemand::value value, std::string_view name, Draft&) {
  return read_only(value, name, true, "text like a special token is that token");
}

Status read_generation_prompt(ondemand::value value, std::string_view name, Draft& draft) {
  return openai::read_add_generation_prompt(value, name, draft.chat);
}

Status read_continue(ondemand::value value, std::string_view name, Draft& draft) {
  return openai::read_continue_final_message(value, name, draft.chat);
}

Status read_template_arguments(ondemand::value value, std::string_view name, Draft& draft) {
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  if (!text.starts_with('{')) return field_error(name, "an object");
  draft.template_arguments = text;
  return {};
}

Status read_tokens(ondemand::value value, std::string_view name, Draft& draft) {
  constexpr std::int64_t kTokenMax = std::numeric_limits<Token>::max();
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of token ids");
  draft.has_tokens = true;
  return for_each_element(array, [&](ondemand::value element) -> Status {
    std::int64_t token = 0;
    if (element.get_int64().get(token) || token < 0 || token > kTokenMax) {
      return field_error(name, "a list of token ids");
    }
    draft.tokens.push_back(static_cast<Token>(token));
    return {};
  });
}

constexpr Row kTokenizeRows[] = {
    {"model", read_model},
    {"prompt", read_prompt},
    {"add_special_tokens", read_special},
    {"return_token_strs", read_pieces},
    {"messages", read_messages},
    {"tools", read_tools},
    {"add_generation_prompt", read_generation_prompt},
    {"continue_final_message", read_continue},
    {"chat_template_kwargs", read_template_arguments},
    {"content", read_content},
    {"add_special", read_special},
    {"parse_special", read_parse_special},
    {"with_pieces", read_pieces},
};

constexpr Row kDetokenizeRows[] = {
    {"model", read_model},
    {"tokens", read_tokens},
};

// One of the three says what is to be counted.
Status settle_input(Draft& draft, TokenizeCall& call) {
  Conversation& conversation = draft.chat.conversation;
  const bool chat = !conversation.messages.empty();
  const int given = int{chat} + int{draft.prompt.has_value()} + int{draft.content.has_value()};
  if (given == 0) return missing_field("prompt");
  if (given > 1) {
    return invalid_argument("one of 'prompt', 'messages' and 'content' is counted at a time")
        .with_field(draft.content ? "content" : "messages");
  }
  call.input.pieces = draft.pieces;
  if (draft.content) {
    call.words = Words::kLlamaServer;
    call.input.special = draft.special.value_or(false);
    call.input.prompt = Prompt{std::move(*draft.content), {}, false};
    return {};
  }
  if (draft.prompt) {
    call.input.special = draft.special.value_or(true);
    call.input.prompt = Prompt{std::move(*draft.prompt), {}, false};
    return {};
  }
  if (draft.special.value_or(false)) {
    return unsupported_field("add_special_tokens", "the chat template writes them");
  }
  CORTEX_RETURN_IF_ERROR(openai::settle_last_message(draft.chat));
  conversation.template_arguments = std::move(draft.template_arguments);
  call.input.prompt = std::move(conversation);
  return {};
}

}  // namespace

Result<TokenizeCall> read_tokenize(std::string_view padded_body) {
  Draft draft;
  CORTEX_RETURN_IF_ERROR(read_field_rows(padded_body, kTokenizeRows, draft));
  TokenizeCall call;
  CORTEX_RETURN_IF_ERROR(settle_input(draft, call));
  call.model = std::move(draft.chat.call.model);
  return call;
}

Result<DetokenizeCall> read_detokenize(std::string_view padded_body) {
  Draft draft;
  CORTEX_RETURN_IF_ERROR(read_field_rows(padded_body, kDetokenizeRows, draft));
  if (!draft.has_tokens) return missing_field("tokens");
  return DetokenizeCall{std::move(draft.chat.call.model), {std::move(draft.tokens)}};
}

}  // namespace cortex::frontend::tokens
