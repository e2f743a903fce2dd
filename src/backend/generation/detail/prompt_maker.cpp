// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/prompt_maker.h"

#include <algorithm>
#include <utility>

#include "backend/detail/beside_lane.h"
#include "backend/generation/detail/conversation_text.h"

namespace cortex::backend {
namespace {

// Whether nothing but white space follows the mark.
bool ends_with_mark(std::string_view text, std::string_view mark) {
  const std::size_t end = text.find_last_not_of(" \n");
  return end != std::string_view::npos && text.substr(0, end + 1).ends_with(mark);
}

std::string_view field_of(const GenerationInput& input) {
  return std::holds_alternative<Conversation>(input.prompt) ? "messages" : "prompt";
}

}  // namespace

PromptMaker::PromptMaker(
    std::shared_ptr<const SequenceBackend> backend,
    std::shared_ptr<const text::ChatTemplate> chat_template,
    std::shared_ptr<const text::GrammarVocabulary> grammars,
    text::ReplyFormat format
)
    : backend_(std::move(backend)),
      template_(std::move(chat_template)),
      format_(format),
      constraints_(backend_, std::move(grammars), format) {}

std::size_t PromptMaker::work_bytes(const std::variant<Conversation, Prompt>& input) {
  if (const auto* prompt = std::get_if<Prompt>(&input)) return prompt->text.size();
  const auto& conversation = std::get<Conversation>(input);
  std::size_t out = 0;
  for (const Message& message : conversation.messages) {
    out += message.content.size() + message.reasoning.size() + 16;
    for (const ToolCall& call : message.tool_calls) out += call.arguments.size() + 16;
  }
  for (const Tool& tool : conversation.tools) {
    out += tool.description.size() + tool.parameters.size() + 16;
  }
  return out;
}

Result<PreparedGeneration> PromptMaker::prepare(const GenerationInput& input) {
  PreparedGeneration out;
  out.text.stop = input.stop;
  out.text.logprobs = input.top_logprobs.has_value();
  if (const auto* conversation = std::get_if<Conversation>(&input.prompt)) {
    CORTEX_RETURN_IF_ERROR(read_conversation(*conversation, input, out));
  } else {
    CORTEX_RETURN_IF_ERROR(read_prompt(std::get<Prompt>(input.prompt), out));
  }
  for (const auto& [token, bias] : input.sampling.logit_bias) {
    CORTEX_RETURN_IF_ERROR(check_tokens({token}, "logit_bias"));
  }
  CORTEX_RETURN_IF_ERROR(fit_context(input, out));
  SequenceInput& to = out.input;
  to.sequences = std::max({input.sequences, input.best_of, std::size_t{1}});
  if (to.sequences > backend_->model().sequences_max) {
    return invalid_argument(
               std::to_string(to.sequences) + " answers at once; the model's limit is " +
               std::to_string(backend_->model().sequences_max)
    )
        .with_field(input.best_of > input.sequences ? "best_of" : "n");
  }
  to.sampling = input.sampling;
  to.top_logprobs = input.top_logprobs;
  // The best of several are those whose tokens are the likeliest.
  if (input.best_of > input.sequences && !to.top_logprobs) to.top_logprobs = 0;
  to.prompt_logprobs = !out.echo_tokens.empty();
  to.ignore_end = input.ignore_end;
  to.draft_tokens_max = input.draft_tokens_max;
  to.cache_salt = input.cache_salt;
  CORTEX_ASSIGN_OR_RETURN(to.constraint, constraints_.make(input, out.thought));
  return out;
}

Result<TokenizeOutput> PromptMaker::tokenize(const TokenizeInput& input) const {
  TokenizeOutput out;
  out.context_length = backend_->model().context_length;
  if (const auto* conversation = std::get_if<Conversation>(&input.prompt)) {
    std::string text;
    CORTEX_ASSIGN_OR_RETURN(out.tokens, conversation_tokens(*conversation, true, text));
  } else if (const auto& prompt = std::get<Prompt>(input.prompt); !prompt.tokens.empty()) {
    CORTEX_RETURN_IF_ERROR(check_tokens(prompt.tokens, "prompt"));
    out.tokens = prompt.tokens;
  } else {
    auto tokens = vocabulary().tokenize(prompt.text, input.special, true);
    if (!tokens.ok()) return tokens.status().with_field("prompt");
    out.tokens = std::move(*tokens);
  }
  if (!input.pieces) return out;
  out.pieces.reserve(out.tokens.size());
  for (const Token token : out.tokens) out.pieces.push_back(vocabulary().piece(token, true));
  return out;
}

Result<DetokenizeOutput> PromptMaker::detokenize(const DetokenizeInput& input) const {
  CORTEX_RETURN_IF_ERROR(check_detokenize_tokens(input.tokens.size()));
  CORTEX_RETURN_IF_ERROR(check_tokens(input.tokens, "tokens"));
  DetokenizeOutput out;
  Utf8Stream characters;
  for (const Token token : input.tokens) {
    out.text += characters.feed(vocabulary().piece(token, true));
    if (out.text.size() <= kDetokenizedBytesMax) continue;
    return invalid_argument(
               "the tokens are more than " + std::to_string(kDetokenizedBytesMax) + " bytes of text"
    )
        .with_field("tokens");
  }
  out.text += characters.finish();
  return out;
}

Result<std::vector<Token>> PromptMaker::conversation_tokens(
    const Conversation& conversation, bool answer_follows, std::string& text
) const {
  if (!template_) return unimplemented("the model has no chat template: it takes prompts alone");
  auto input = template_input(conversation, template_->capabilities());
  if (!answer_follows) input.add_generation_prompt = false;
  auto rendered = template_->render(input);
  if (!rendered.ok()) return rendered.status().with_field("messages");
  text = std::move(*rendered);
  // The template wrote the special tokens, but some leave the first one to the tokenizer.
  CORTEX_ASSIGN_OR_RETURN(std::vector<Token> tokens, vocabulary().tokenize(text, false, true));
  const Token begin = backend_->model().begin;
  if (begin >= 0 && (tokens.empty() || tokens.front() != begin)) {
    tokens.insert(tokens.begin(), begin);
  }
  return tokens;
}

Status PromptMaker::read_conversation(
    const Conversation& conversation, const GenerationInput& input, PreparedGeneration& out
) {
  if (!template_) return unimplemented("the model has no chat template: it takes prompts alone");
  const bool tools = !callable_tools(conversation).empty();
  if (must_call(conversation) && !tools) {
    return invalid_argument(
               conversation.tool_choice == ToolChoice::kNamed
                   ? "there is no tool '" + conversation.tool_name + "'"
                   : "a tool must be called, and there is none"
    )
        .with_field("tool_choice");
  }
  if (tools && has_form(input) && !must_call(conversation)) {
    return invalid_argument(
               "an answer of a given form may call no tools: tool_choice must be none or required"
    )
        .with_field(input.format.field);
  }
  std::string text;
  CORTEX_ASSIGN_OR_RETURN(out.input.prompt, conversation_tokens(conversation, true, text));
  text::ReplyParserOptions reply;
  reply.format = tools ? format_ : text::ReplyFormat::kPlain;
  reply.tools = tools;
  reply.starts_in_reasoning = ends_with_mark(text, text::kThinkBegin);
  const bool ended = ends_with_mark(text, text::kThinkEnd);
  if (!ended) out.thought = reply.starts_in_reasoning ? Thought::kBegun : Thought::kMay;
  out.text.reply = reply;
  out.text.marks = constraints_.marks();
  out.text.parallel_calls = conversation.parallel_tool_calls;
  out.text.calls_alone = must_call(conversation);
  return {};
}

Result<std::vector<Token>> PromptMaker::prefix_tokens(
    const std::variant<Conversation, Prompt>& prompt
) const {
  if (const auto* conversation = std::get_if<Conversation>(&prompt)) {
    std::string text;
    return conversation_tokens(*conversation, false, text);
  }
  PreparedGeneration out;
  CORTEX_RETURN_IF_ERROR(read_prompt(std::get<Prompt>(prompt), out));
  return std::move(out.input.prompt);
}

Status PromptMaker::read_prompt(const Prompt& prompt, PreparedGeneration& out) const {
  std::vector<Token>& tokens = out.input.prompt;
  if (!prompt.tokens.empty()) {
    CORTEX_RETURN_IF_ERROR(check_tokens(prompt.tokens, "prompt"));
    tokens = prompt.tokens;
  } else {
    auto read = vocabulary().tokenize(prompt.text, true, true);
    if (!read.ok()) return read.status().with_field("prompt");
    tokens = std::move(*read);
  }
  if (!prompt.echo) return {};
  out.echo = prompt.text;
  if (prompt.text.empty()) {
    for (const Token token : prompt.tokens) out.echo += vocabulary().piece(token, true);
    Utf8Stream characters;
    const std::string whole = characters.feed(out.echo);
    out.echo = whole + characters.finish();
  }
  if (out.text.logprobs) out.echo_tokens = tokens;
  return {};
}

Status PromptMaker::check_tokens(const std::vector<Token>& tokens, std::string_view field) const {
  const std::size_t size = backend_->model().vocabulary_size;
  for (const Token token : tokens) {
    if (token >= 0 && static_cast<std::size_t>(token) < size) continue;
    return invalid_argument(
               "token " + std::to_string(token) + " is outside the vocabulary of " +
               std::to_string(size)
    )
        .with_field(std::string(field));
  }
  return {};
}

Status PromptMaker::fit_context(const GenerationInput& input, PreparedGeneration& out) const {
  const std::string field(field_of(input));
  const std::size_t length = backend_->model().context_length;
  const std::size_t prompt = out.input.prompt.size();
  if (prompt == 0) return invalid_argument("the prompt has no tokens").with_field(field);
  if (prompt >= length) {
    return invalid_argument(
               "This model's maximum context length is " + std::to_string(length) +
               " tokens. However, your " + field + " resulted in " + std::to_string(prompt) +
               " tokens. Please reduce the length of the " + field + "."
    )
        .with_reason("context_length_exceeded")
        .with_field(field);
  }
  const std::size_t room = length - prompt;
  out.input.tokens_max = input.tokens_max == 0 ? room : std::min(input.tokens_max, room);
  return {};
}

}  // namespace cortex::backend
