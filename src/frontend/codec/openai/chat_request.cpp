// SPDX-License-Identifier: Apache-2.0
// The body of POST /v1/chat/completions.
#include <array>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/openai/chat_messages.h"
#include "frontend/codec/openai/chat_tools.h"
#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/generation_fields.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

Status read_logprobs_flag(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_bool(value, name, draft.logprobs);
}

Status read_top_logprobs(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kTopLogprobsMax}, number));
  draft.alternatives = static_cast<std::uint64_t>(number);
  return {};
}

Status read_template_arguments(
    ondemand::value value, std::string_view name, GenerationDraft& draft
) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type != ondemand::json_type::object) return field_error(name, "an object");
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  draft.template_arguments = text;
  return {};
}

Status read_reasoning_effort(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_text(value, name, draft.reasoning_effort);
}

constexpr GenerationField kChatFields[] = {
    {"messages", read_messages},
    {"tools", read_tools},
    {"tool_choice", read_tool_choice},
    {"parallel_tool_calls", read_parallel_tool_calls},
    {"logprobs", read_logprobs_flag},
    {"top_logprobs", read_top_logprobs},
    {"chat_template_kwargs", read_template_arguments},
    {"reasoning_effort", read_reasoning_effort},
    {"add_generation_prompt", read_add_generation_prompt},
    {"continue_final_message", read_continue_final_message},
};

constexpr IdleField kChatIdle[] = {
    {"verbosity", R"("medium")"},
    {"modalities", R"(["text"]|[ "text" ])"},
    {"add_special_tokens", "false"},
    {"echo", "false"},
    {"include_reasoning", "true"},
    {"separate_reasoning", "true"},
    {"reasoning_format", R"("auto"|"deepseek")"},
    {"parse_tool_calls", "true"},
    {"audio", "null"},
    {"functions", "[]"},
    {"function_call", R"("none"|"auto")"},
};

// The template's variables: those of the client, and the effort where he did not say it there.
std::string template_arguments(GenerationDraft& draft) {
  if (draft.reasoning_effort.empty()) return std::move(draft.template_arguments);
  std::string out = R"({"reasoning_effort":)";
  append_json_string(out, draft.reasoning_effort);
  std::string_view rest = draft.template_arguments;
  if (rest.empty()) return out + "}";
  rest.remove_prefix(1);
  const bool more = rest.find_first_not_of(" \t\r\n") != rest.size() - 1;
  return out.append(more ? "," : "").append(rest);
}

Status settle_chat(GenerationDraft& draft) {
  if (draft.conversation.messages.empty()) {
    return invalid_argument("you must provide a 'messages' parameter").with_field("messages");
  }
  if (draft.alternatives && !draft.logprobs) {
    return invalid_argument("'top_logprobs' may be given only with 'logprobs'")
        .with_field("top_logprobs");
  }
  CORTEX_RETURN_IF_ERROR(check_tool_choice(draft.conversation));
  CORTEX_RETURN_IF_ERROR(settle_last_message(draft));
  GenerationInput& input = draft.call.inputs.front();
  if (draft.logprobs) input.top_logprobs = draft.alternatives.value_or(0);
  draft.conversation.template_arguments = template_arguments(draft);
  input.prompt = std::move(draft.conversation);
  return {};
}

}  // namespace

Result<GenerationCall> read_chat(std::string_view padded_body) {
  GenerationReader reader(kChatFields, kChatIdle);
  CORTEX_RETURN_IF_ERROR(reader.read(padded_body));
  CORTEX_RETURN_IF_ERROR(settle_chat(reader.draft()));
  return std::move(reader.draft().call);
}

}  // namespace cortex::frontend::openai
