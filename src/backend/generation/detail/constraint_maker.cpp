// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/constraint_maker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "backend/generation/detail/conversation_text.h"
#include "base/json_text.h"

namespace cortex::backend {
namespace {

// A grammar as the lane knows it.
class GrammarConstraint final : public TokenConstraint {
 public:
  explicit GrammarConstraint(std::unique_ptr<text::Grammar> grammar)
      : grammar_(std::move(grammar)) {}
  [[nodiscard]] Status allow(std::span<std::uint32_t> mask) override {
    return grammar_->allow(mask);
  }
  [[nodiscard]] Status accept(Token token) override { return grammar_->accept(token); }
  [[nodiscard]] bool finished() const override { return grammar_->finished(); }
  [[nodiscard]] std::unique_ptr<TokenConstraint> fork() const override {
    return std::make_unique<GrammarConstraint>(grammar_->fork());
  }

 private:
  std::unique_ptr<text::Grammar> grammar_;
};

// Some call must be held to a schema, though nobody must call.
bool may_call_strictly(const Conversation& conversation) {
  const std::vector<Tool> tools = callable_tools(conversation);
  return std::any_of(tools.begin(), tools.end(), [](const Tool& tool) { return tool.strict; });
}

// As grammars know them; one that is not strict takes any arguments where others are.
std::vector<text::ReplyTool> reply_tools(const Conversation& conversation, bool all_strict) {
  std::vector<text::ReplyTool> out;
  for (const Tool& tool : callable_tools(conversation)) {
    out.push_back({tool.name, all_strict || tool.strict ? tool.parameters : ""});
  }
  return out;
}

// A Lark grammar of one of some texts.
std::string choice_grammar(const std::vector<std::string>& choices) {
  std::string out = "start: ";
  for (const std::string& choice : choices) {
    if (!out.ends_with(": ")) out += " | ";
    append_json_string(out, choice);
  }
  return out;
}

// Marks that are tokens of their own, which say nothing unless they are asked for.
std::vector<Token> mark_tokens(const Vocabulary& vocabulary, text::ReplyFormat format) {
  std::vector<Token> out;
  for (const auto mark : text::reply_marks(format)) {
    const auto tokens = vocabulary.tokenize(mark, false, true);
    if (!tokens.ok() || tokens->size() != 1) continue;
    if (vocabulary.piece(tokens->front(), false).empty()) out.push_back(tokens->front());
  }
  return out;
}

}  // namespace

bool must_call(const Conversation& conversation) {
  return conversation.tool_choice == ToolChoice::kRequired ||
         conversation.tool_choice == ToolChoice::kNamed;
}

bool has_form(const GenerationInput& input) {
  return input.format.kind != OutputFormat::Kind::kText;
}

ConstraintMaker::ConstraintMaker(
    std::shared_ptr<const SequenceBackend> backend,
    std::shared_ptr<const text::GrammarVocabulary> grammars,
    text::ReplyFormat format
)
    : backend_(std::move(backend)),
      format_(format),
      marks_(mark_tokens(backend_->vocabulary(), format)),
      call_mark_(make_mark(text::call_mark(format))),
      think_begin_(make_mark(text::kThinkBegin)),
      think_end_(make_mark(text::kThinkEnd)),
      grammars_(std::move(grammars)) {}

std::shared_ptr<const Mark> ConstraintMaker::make_mark(std::string_view text) const {
  if (text.empty()) return nullptr;
  return std::make_shared<Mark>(backend_->vocabulary(), backend_->model(), std::string(text));
}

bool ConstraintMaker::has_grammar(const GenerationInput& input) {
  const auto* conversation = std::get_if<Conversation>(&input.prompt);
  if (has_form(input)) return true;
  return conversation != nullptr && (must_call(*conversation) || may_call_strictly(*conversation));
}

Result<ConstraintMaker::Constraint> ConstraintMaker::make(
    const GenerationInput& input, Thought thought
) {
  const auto* conversation = std::get_if<Conversation>(&input.prompt);
  const bool calls = conversation != nullptr && must_call(*conversation);
  if (conversation != nullptr && !calls && may_call_strictly(*conversation)) {
    auto constraint = of_strict_calls(*conversation);
    return constraint.ok() ? constraint : tool_error(*conversation, constraint.status());
  }
  auto constraint = calls ? of_calls(*conversation) : of_format(input.format);
  if (constraint.ok()) return behind_thought(std::move(*constraint), thought);
  if (calls) return tool_error(*conversation, constraint.status());
  return constraint.status().with_field(input.format.field);
}

Status ConstraintMaker::tool_error(const Conversation& conversation, const Status& whole) {
  if (whole.code() != Code::kInvalidArgument) return whole;
  const std::vector<text::ReplyTool> tools = reply_tools(conversation, must_call(conversation));
  for (const text::ReplyTool& tool : tools) {
    const auto grammar = text::tool_call_grammar(format_, {tool}, false);
    if (!grammar.ok()) return grammar.status().with_field("tools");
    const Status status = compile(text::Grammar::Kind::kLark, *grammar).status();
    if (status.ok()) continue;
    const auto at = std::ranges::find(conversation.tools, tool.name, &Tool::name);
    const auto index = std::to_string(at - conversation.tools.begin());
    return status.with_prefix("tool '" + tool.name + "': ").with_field("tools[" + index + "]");
  }
  return whole.with_field("tools");
}

Result<ConstraintMaker::Constraint> ConstraintMaker::of_format(const OutputFormat& format) {
  switch (format.kind) {
    case OutputFormat::Kind::kText:
      return Constraint();
    case OutputFormat::Kind::kJsonObject:
      return compile(text::Grammar::Kind::kJsonSchema, R"({"type":"object"})");
    case OutputFormat::Kind::kJsonSchema:
      return compile(text::Grammar::Kind::kJsonSchema, format.text);
    case OutputFormat::Kind::kRegex:
      return compile(text::Grammar::Kind::kRegex, format.text);
    case OutputFormat::Kind::kLark:
      return compile(text::Grammar::Kind::kLark, format.text);
    case OutputFormat::Kind::kChoice:
      return compile(text::Grammar::Kind::kLark, choice_grammar(format.choices));
  }
  return Constraint();
}

Result<ConstraintMaker::Constraint> ConstraintMaker::of_calls(const Conversation& conversation) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::string grammar,
      text::tool_call_grammar(
          format_, reply_tools(conversation, true), conversation.parallel_tool_calls
      )
  );
  return compile(text::Grammar::Kind::kLark, grammar);
}

Result<ConstraintMaker::Constraint> ConstraintMaker::of_strict_calls(
    const Conversation& conversation
) {
  if (!call_mark_) return Constraint();
  CORTEX_ASSIGN_OR_RETURN(
      const text::MarkedCalls calls,
      text::marked_call_grammar(
          format_, reply_tools(conversation, false), conversation.parallel_tool_calls
      )
  );
  CORTEX_ASSIGN_OR_RETURN(auto grammar, compile(text::Grammar::Kind::kLark, calls.grammar));
  MarkedPlan plan;
  plan.mark = call_mark_;
  plan.may_end = true;
  plan.repeats = calls.repeats;
  return Constraint(std::make_shared<MarkedConstraint>(std::move(plan), std::move(grammar)));
}

ConstraintMaker::Constraint ConstraintMaker::behind_thought(Constraint constraint, Thought thought)
    const {
  const bool begun = thought == Thought::kBegun;
  const bool opens = thought == Thought::kMay && think_begin_->token() >= 0;
  if (!constraint || (!begun && !opens)) return constraint;
  MarkedPlan plan;
  plan.mark = think_end_;
  plan.opening = think_begin_;
  plan.free_at_first = begun;
  return std::make_shared<MarkedConstraint>(std::move(plan), std::move(constraint));
}

Result<ConstraintMaker::Constraint> ConstraintMaker::compile(
    text::Grammar::Kind kind, std::string_view text
) {
  CORTEX_ASSIGN_OR_RETURN(const auto vocabulary, grammars());
  CORTEX_ASSIGN_OR_RETURN(auto grammar, text::Grammar::compile(vocabulary, kind, text));
  return Constraint(std::make_shared<GrammarConstraint>(std::move(grammar)));
}

Result<std::shared_ptr<const text::GrammarVocabulary>> ConstraintMaker::grammars() {
  MutexLock lock(mutex_);
  if (grammars_) return grammars_;
  const SequenceModel& model = backend_->model();
  const Vocabulary& vocabulary = backend_->vocabulary();
  std::vector<text::GrammarVocabulary::Entry> entries(model.vocabulary_size);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto token = static_cast<Token>(i);
    entries[i].bytes = vocabulary.piece(token, true);
    const bool silent = vocabulary.piece(token, false).empty();
    const bool mark = std::ranges::find(marks_, token) != marks_.end();
    entries[i].special = vocabulary.is_end(token) || (silent && !mark);
  }
  CORTEX_ASSIGN_OR_RETURN(grammars_, text::GrammarVocabulary::make(entries, model.ends));
  return grammars_;
}

}  // namespace cortex::backend
