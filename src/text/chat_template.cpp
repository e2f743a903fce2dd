// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <utility>

#include "text/detail/cortex_chat.h"
#include "text/detail/rust_text.h"

namespace cortex::text {
namespace {

Status render_error(const cortex_text_outcome& outcome) {
  switch (outcome.code) {
    case CORTEX_TEXT_NOT_UTF8:
      return invalid_argument("The conversation is not valid UTF-8.");
    case CORTEX_TEXT_REFUSED:
      return invalid_argument(
          std::string("The model's chat template refuses the conversation: ") + outcome.message
      );
    case CORTEX_TEXT_FAILED:
      return invalid_argument(std::string("chat template: ") + outcome.message);
    default:
      return internal(std::string("chat template: ") + outcome.message);
  }
}

}  // namespace

struct ChatTemplate::Inner {
  cortex_text_template* rust = nullptr;
  Capabilities capabilities;

  ~Inner() { cortex_text_template_free(rust); }
};

ChatTemplate::ChatTemplate(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

ChatTemplate::~ChatTemplate() = default;

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::compile(
    std::string_view jinja, std::string_view begin_token, std::string_view end_token
) {
  auto inner = std::make_unique<Inner>();
  cortex_text_capabilities found{};
  cortex_text_outcome outcome;
  inner->rust = cortex_text_template_compile(
      rust_bytes(jinja), rust_bytes(begin_token), rust_bytes(end_token), &found, &outcome
  );
  if (inner->rust == nullptr) {
    const bool text = outcome.code == CORTEX_TEXT_NOT_UTF8;
    return invalid_argument(
        std::string("not a usable chat template: ") + (text ? "no UTF-8" : outcome.message)
    );
  }
  inner->capabilities = {
      .tools = found.tools,
      .tool_calls = found.tool_calls,
      .system_role = found.system_role,
      .thinking = found.thinking,
  };
  return std::shared_ptr<const ChatTemplate>(new ChatTemplate(std::move(inner)));
}

Result<std::string> ChatTemplate::render(const TemplateInput& input) const {
  const cortex_text_conversation conversation{
      .messages = rust_bytes(input.messages),
      .tools = rust_bytes(input.tools),
      .arguments = rust_bytes(input.arguments),
      .now = input.now,
      .add_generation_prompt = input.add_generation_prompt,
      .continue_last = input.continue_last,
  };
  std::string text;
  const cortex_text_text sink{&text, reserve_rust_text};
  cortex_text_outcome outcome;
  cortex_text_template_render(inner_->rust, &conversation, &sink, &outcome);
  if (outcome.code != CORTEX_TEXT_OK) return render_error(outcome);
  return text;
}

const ChatTemplate::Capabilities& ChatTemplate::capabilities() const {
  return inner_->capabilities;
}

}  // namespace cortex::text
