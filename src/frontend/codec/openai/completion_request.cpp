// SPDX-License-Identifier: Apache-2.0
// The body of POST /v1/completions.
#include <algorithm>
#include <limits>
#include <utility>

#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/openai/generation_fields.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;

// OpenAI's.
constexpr std::size_t kCompletionTokens = 16;

Status bad_prompt() {
  return field_error(
      "prompt",
      "a string, a list of strings, a list of token ids, or a list of such lists; no list is empty"
  );
}

Status check_prompts(const GenerationDraft& draft) {
  if (draft.prompts.size() < kPromptsMax) return {};
  return field_error("prompt", "at most " + std::to_string(kPromptsMax) + " prompts");
}

Status add_text(ondemand::value value, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(check_prompts(draft));
  return read_text(value, "prompt", draft.prompts.emplace_back().text);
}

Status add_token(ondemand::value value, std::vector<Token>& tokens) {
  constexpr std::int64_t kTokenMax = std::numeric_limits<Token>::max();
  std::int64_t token = 0;
  if (value.get_int64().get(token) || token < 0 || token > kTokenMax) return bad_prompt();
  tokens.push_back(static_cast<Token>(token));
  return {};
}

Status add_tokens(ondemand::value value, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(check_prompts(draft));
  ondemand::array array;
  if (value.get_array().get(array)) return bad_prompt();
  std::vector<Token>& tokens = draft.prompts.emplace_back().tokens;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value token) {
    return add_token(token, tokens);
  }));
  return tokens.empty() ? bad_prompt() : Status();
}

// The first element of a list says what the others must be.
struct PromptList {
  std::optional<ondemand::json_type> kind;
  std::vector<Token> flat;  // where the elements are token ids
};

Status add_element(ondemand::value value, PromptList& list, GenerationDraft& draft) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (list.kind.value_or(type) != type) return bad_prompt();
  list.kind = type;
  if (type == ondemand::json_type::string) return add_text(value, draft);
  if (type == ondemand::json_type::array) return add_tokens(value, draft);
  return add_token(value, list.flat);
}

Status read_prompt(ondemand::value value, std::string_view, GenerationDraft& draft) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::string) return add_text(value, draft);
  ondemand::array array;
  if (value.get_array().get(array)) return bad_prompt();
  PromptList list;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value element) {
    return add_element(element, list, draft);
  }));
  if (!list.flat.empty()) draft.prompts.emplace_back().tokens = std::move(list.flat);
  return draft.prompts.empty() ? bad_prompt() : Status();
}

Status read_echo(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  return read_bool(value, name, draft.echo);
}

Status read_logprobs_count(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kTopLogprobsMax}, number));
  draft.alternatives = static_cast<std::uint64_t>(number);
  return {};
}

constexpr GenerationField kCompletionFields[] = {
    {"prompt", read_prompt},
    {"echo", read_echo},
    {"logprobs", read_logprobs_count},
};

constexpr IdleField kCompletionIdle[] = {
    {"suffix", R"("")"},
    {"add_special_tokens", "true"},
};

// One generation for each prompt; all else is the same for them.
Status settle_completion(GenerationDraft& draft) {
  if (draft.prompts.empty()) {
    return invalid_argument("you must provide a 'prompt' parameter").with_field("prompt");
  }
  GenerationCall& call = draft.call;
  GenerationInput& first = call.inputs.front();
  if (std::max(first.sequences, first.best_of) * draft.prompts.size() > kChoicesMax) {
    return invalid_argument(
               "'n' or 'best_of' times the number of prompts may be at most " +
               std::to_string(kChoicesMax)
    )
        .with_field("n");
  }
  if (!draft.most_tokens()) first.tokens_max = kCompletionTokens;
  if (draft.alternatives) first.top_logprobs = draft.alternatives;
  const GenerationInput common = first;
  call.inputs.assign(draft.prompts.size(), common);
  for (std::size_t i = 0; i < draft.prompts.size(); ++i) {
    draft.prompts[i].echo = draft.echo;
    call.inputs[i].prompt = std::move(draft.prompts[i]);
  }
  return {};
}

}  // namespace

Result<GenerationCall> read_completion(std::string_view padded_body) {
  GenerationReader reader(kCompletionFields, kCompletionIdle);
  CORTEX_RETURN_IF_ERROR(reader.read(padded_body));
  CORTEX_RETURN_IF_ERROR(settle_completion(reader.draft()));
  return std::move(reader.draft().call);
}

}  // namespace cortex::frontend::openai
