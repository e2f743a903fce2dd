// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <boost/json.hpp>

#include "base/check.h"
#include "base/json_value.h"
#include "text/detail/reply_syntax.h"
#include "text/reply_parser.h"

namespace cortex::text {
namespace {

using Form = CallReader::Form;

constexpr std::array<CallMark, 1> kHermesMarks = {{{"<tool_call>"}}};
constexpr std::array<std::string_view, 3> kHermesGlue = {",", "]", "</tool_call>"};
constexpr std::array<CallMark, 2> kLlamaMarks = {
    {{"<|python_tag|>"}, {"<function=", Form::kNamed, ">"}}
};
constexpr std::array<std::string_view, 3> kLlamaGlue = {";", ",", "</function>"};
constexpr std::array<CallMark, 1> kMistralMarks = {{{"[TOOL_CALLS]", Form::kNamed, "[ARGS]"}}};
constexpr std::array<std::string_view, 2> kMistralGlue = {",", "]"};
constexpr std::array<CallMark, 2> kDeepSeekMarks = {
    {{"<｜tool▁calls▁begin｜>", Form::kDeepSeek}, {"<｜tool▁call▁begin｜>", Form::kDeepSeek}}
};
constexpr std::array<std::string_view, 3> kDeepSeekGlue = {
    "```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"
};
constexpr std::array<CallMark, 2> kPhiMarks = {{{"<|tool_call|>"}, {"functools"}}};
constexpr std::array<std::string_view, 3> kPhiGlue = {",", "]", "<|/tool_call|>"};
constexpr std::array<CallMark, 3> kGemmaMarks = {{{"```tool_code"}, {"```tool_call"}, {"```json"}}};
constexpr std::array<std::string_view, 3> kGemmaGlue = {",", "]", "```"};

const ReplySyntax kPlainSyntax = {};
const ReplySyntax kHermesSyntax = {.marks = kHermesMarks, .glue = kHermesGlue, .lists = true};
const ReplySyntax kLlamaSyntax = {
    .marks = kLlamaMarks, .glue = kLlamaGlue, .bare = true, .bare_after = true, .names_alone = false
};
const ReplySyntax kMistralSyntax = {.marks = kMistralMarks, .glue = kMistralGlue, .lists = true};
const ReplySyntax kDeepSeekSyntax = {.marks = kDeepSeekMarks, .glue = kDeepSeekGlue};
const ReplySyntax kPhiSyntax = {.marks = kPhiMarks, .glue = kPhiGlue, .lists = true};
const ReplySyntax kGemmaSyntax = {
    .marks = kGemmaMarks, .glue = kGemmaGlue, .lists = true, .bare = true, .names_alone = false
};

// How a format's calls are written by a grammar.
struct CallText {
  std::string begin;       // of the whole
  std::string call_begin;  // before the name
  std::string name_end;    // between name and arguments
  std::string call_end;
  std::string between;
  std::string end;
  bool json_name = true;  // the name stands in a JSON string
};

CallText call_text(ReplyFormat format) {
  const std::string object = "{\"name\": \"";
  const std::string arguments = "\", \"arguments\": ";
  const std::string parameters = "\", \"parameters\": ";
  switch (format) {
    case ReplyFormat::kLlama3:
      return {"", object, parameters, "}", "; ", ""};
    case ReplyFormat::kMistral:
      return {"[TOOL_CALLS][", object, arguments, "}", ", ", "]"};
    case ReplyFormat::kDeepSeek:
      return {
          "<｜tool▁calls▁begin｜>",
          "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
          "\n```json\n",
          "\n```<｜tool▁call▁end｜>",
          "\n",
          "<｜tool▁calls▁end｜>",
          false
      };
    case ReplyFormat::kPhi:
      return {"<|tool_call|>[", object, arguments, "}", ", ", "]<|/tool_call|>"};
    case ReplyFormat::kGemma:
      return {"", "```json\n" + object, parameters, "}\n```", "\n", ""};
    case ReplyFormat::kSmolLm:
      return {"<tool_call>[", object, arguments, "}", ", ", "]</tool_call>"};
    default:
      return {"", "<tool_call>\n" + object, arguments, "}\n</tool_call>", "\n", ""};
  }
}

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string(text));
}

// What stands between the quotation marks of a JSON string.
std::string escaped(std::string_view text) {
  const auto json = quoted(text);
  return json.substr(1, json.size() - 2);
}

Result<std::string> schema_of(const ReplyTool& tool) {
  auto schema = parse_json_value(tool.parameters.empty() ? "{}" : tool.parameters);
  if (!schema.ok() || !schema->is_object()) {
    return invalid_argument("The parameters of the tool '" + tool.name + "' are no JSON object.");
  }
  schema->get_object()["type"] = "object";
  return boost::json::serialize(*schema);
}

// An empty text has no literal.
void append_literal(std::string& rule, std::string_view text) {
  if (!text.empty()) rule += " " + quoted(text);
}

// As tool_call_grammar(), of calls that are written so.
Result<std::string> grammar_of(
    const CallText& text, const std::vector<ReplyTool>& tools, bool parallel
) {
  if (tools.empty()) return invalid_argument("There is no tool to call.");
  std::string start = "start:";
  append_literal(start, text.begin);
  start += " call";
  if (parallel) {
    start += " (";
    append_literal(start, text.between);
    start += " call)*";
  }
  append_literal(start, text.end);

  std::string calls = "call:";
  std::string rules;
  for (std::size_t i = 0; i < tools.size(); ++i) {
    CORTEX_ASSIGN_OR_RETURN(const std::string schema, schema_of(tools[i]));
    const auto number = std::to_string(i);
    const auto name = text.json_name ? escaped(tools[i].name) : tools[i].name;
    calls += (i == 0 ? " call_" : " | call_") + number;
    rules += "call_" + number + ":";
    append_literal(rules, text.call_begin + name + text.name_end);
    rules += " arguments_" + number;
    append_literal(rules, text.call_end);
    rules += "\narguments_" + number + ": %json " + schema + "\n";
  }
  return start + "\n" + calls + "\n" + rules;
}

}  // namespace

const ReplySyntax& syntax_of(ReplyFormat format) {
  switch (format) {
    case ReplyFormat::kPlain:
      return kPlainSyntax;
    case ReplyFormat::kHermes:
    case ReplyFormat::kSmolLm:
      return kHermesSyntax;
    case ReplyFormat::kLlama3:
      return kLlamaSyntax;
    case ReplyFormat::kMistral:
      return kMistralSyntax;
    case ReplyFormat::kDeepSeek:
      return kDeepSeekSyntax;
    case ReplyFormat::kPhi:
      return kPhiSyntax;
    case ReplyFormat::kGemma:
      return kGemmaSyntax;
  }
  return kPlainSyntax;
}

ReplyFormat reply_format_of(std::string_view chat_template) {
  struct Sign {
    std::string_view text;
    ReplyFormat format;
  };
  // The first that is found: a template may speak of several.
  constexpr std::array<Sign, 10> kSigns = {{
      {"[TOOL_CALLS]", ReplyFormat::kMistral},
      {"tool▁call", ReplyFormat::kDeepSeek},
      {"<tool_call>", ReplyFormat::kHermes},
      {"<|tool_call|>", ReplyFormat::kPhi},
      {"functools", ReplyFormat::kPhi},
      {"<|python_tag|>", ReplyFormat::kLlama3},
      {"<|start_header_id|>", ReplyFormat::kLlama3},
      {"<start_of_turn>", ReplyFormat::kGemma},
      {"tool_code", ReplyFormat::kGemma},
      {"SmolLM", ReplyFormat::kSmolLm},
  }};
  for (const Sign& sign : kSigns) {
    if (chat_template.find(sign.text) != chat_template.npos) return sign.format;
  }
  return ReplyFormat::kHermes;
}

std::vector<std::string_view> reply_marks(ReplyFormat format) {
  std::vector<std::string_view> texts = {kThinkBegin, kThinkEnd};
  const ReplySyntax& syntax = syntax_of(format);
  for (const CallMark& mark : syntax.marks) {
    texts.push_back(mark.text);
    if (!mark.separator.empty()) texts.push_back(mark.separator);
  }
  texts.insert(texts.end(), syntax.glue.begin(), syntax.glue.end());
  if (format == ReplyFormat::kDeepSeek) texts.push_back("<｜tool▁sep｜>");
  if (format == ReplyFormat::kMistral) texts.push_back("[CALL_ID]");
  return texts;
}

std::string tool_calls_text(ReplyFormat format, const std::vector<ReplyCall>& calls) {
  const CallText text = call_text(format);
  std::string written = text.begin;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto& call = calls[i];
    if (i > 0) written += text.between;
    written += text.call_begin + (text.json_name ? escaped(call.name) : call.name);
    written += text.name_end + (call.arguments.empty() ? "{}" : call.arguments) + text.call_end;
  }
  return written + text.end;
}

std::string tool_instructions(ReplyFormat format, std::string_view tools) {
  return "You can call functions to find out what you do not know. They are described here as "
         "JSON:\n"
         "<tools>\n" +
         std::string(tools) +
         "\n</tools>\nTo call a function, answer with its name and its arguments in this form, and "
         "with "
         "nothing else:\n" +
         tool_calls_text(format, {{"FUNCTION", "{\"ARGUMENT\": VALUE}"}}) +
         "\nWhat it found out is told to you then. Where no function helps, answer as usual.";
}

Result<std::string> tool_call_grammar(
    ReplyFormat format, const std::vector<ReplyTool>& tools, bool parallel
) {
  return grammar_of(call_text(format), tools, parallel);
}

std::string_view call_mark(ReplyFormat format) {
  if (syntax_of(format).bare) return {};
  const CallText text = call_text(format);
  const std::string first = text.begin + text.call_begin;
  for (const CallMark& mark : syntax_of(format).marks) {
    if (first.starts_with(mark.text)) return mark.text;
  }
  return {};
}

Result<MarkedCalls> marked_call_grammar(
    ReplyFormat format, const std::vector<ReplyTool>& tools, bool parallel
) {
  const std::string_view mark = call_mark(format);
  CHECK(!mark.empty(), "calls that begin like other text are held to nothing");
  CallText text = call_text(format);
  MarkedCalls out;
  out.repeats = parallel && text.begin.empty();
  (text.begin.empty() ? text.call_begin : text.begin).erase(0, mark.size());
  CORTEX_ASSIGN_OR_RETURN(out.grammar, grammar_of(text, tools, parallel && !out.repeats));
  return out;
}

}  // namespace cortex::text
