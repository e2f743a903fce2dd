// SPDX-License-Identifier: Apache-2.0
#include "text/reply_parser.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/grammar.h"

namespace cortex::text {
namespace {

using ::testing::HasSubstr;
using Format = ReplyFormat;
using Kind = ReplyPiece::Kind;

// Pieces in one line: t'text' r'reasoning' c0'name' a0'arguments', neighbours of one kind joined.
std::string joined(const std::vector<ReplyPiece>& pieces) {
  std::vector<ReplyPiece> whole;
  for (const auto& piece : pieces) {
    const bool joins = !whole.empty() && whole.back().kind == piece.kind &&
                       whole.back().call == piece.call && piece.kind != Kind::kCall;
    if (joins) {
      whole.back().text += piece.text;
    } else {
      whole.push_back(piece);
    }
  }
  std::string line;
  for (const auto& piece : whole) {
    line += line.empty() ? "" : " ";
    line += "trca"[static_cast<std::size_t>(piece.kind)];
    if (piece.kind >= Kind::kCall) line += std::to_string(piece.call);
    line += "'" + piece.text + "'";
  }
  return line;
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> all;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) all.emplace_back();
    all.back() += c;
  }
  return all;
}

template <typename Cut>
std::string fed(const ReplyParserOptions& options, std::string_view reply, Cut cut) {
  ReplyParser parser(options);
  std::vector<ReplyPiece> pieces;
  const auto keep = [&](std::vector<ReplyPiece> more) {
    for (auto& piece : more) {
      if (piece.kind < Kind::kCall) {
        EXPECT_EQ(reply.substr(piece.begin, piece.text.size()), piece.text);
      }
      pieces.push_back(std::move(piece));
    }
  };
  std::string part;
  for (const auto& c : characters(reply)) {
    part += c;
    if (cut()) keep(parser.feed(std::exchange(part, "")));
  }
  keep(parser.feed(part));
  keep(parser.finish());
  return joined(pieces);
}

struct Case {
  const char* name;
  ReplyParserOptions options;
  const char* reply;
  const char* pieces;
};

ReplyParserOptions with(Format format) { return {.format = format, .tools = true}; }

std::vector<Case> cases() {
  const ReplyParserOptions plain;
  const ReplyParserOptions thinks = {.starts_in_reasoning = true};
  const ReplyParserOptions no_reasoning = {.reasoning = false};
  const auto hermes = with(Format::kHermes);
  const auto llama = with(Format::kLlama3);
  const auto mistral = with(Format::kMistral);
  const auto deepseek = with(Format::kDeepSeek);
  const auto phi = with(Format::kPhi);
  const auto gemma = with(Format::kGemma);
  auto thinking_hermes = hermes;
  thinking_hermes.starts_in_reasoning = true;
  return {
      {"nothing", plain, "", ""},
      {"text", plain, "Hello, wörld 😀", "t'Hello, wörld 😀'"},
      {"white space alone is text", plain, " \n", "t' \n'"},
      {"white space before text stays", plain, "\n Hi", "t'\n Hi'"},
      {"marks of calls are text without tools",
       plain,
       "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
       "t'<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>'"},

      {"reasoning", plain, "<think>\nHm, a<b.\n\n</think>\n\nYes.", "r'Hm, a<b.' t'Yes.'"},
      {"reasoning after white space", plain, "\n<think>a</think>b", "r'a' t'b'"},
      {"empty reasoning", plain, "<think>\n\n</think>\n\nYes.", "t'Yes.'"},
      {"reasoning without an end", plain, "<think>I wonder </thin", "r'I wonder </thin'"},
      {"a mark of reasoning later is text",
       plain,
       "The tag <think> is a tag.</think>",
       "t'The tag <think> is a tag.</think>'"},
      {"the beginning of a mark is text", plain, "<thin", "t'<thin'"},
      {"a second thought is text",
       plain,
       "<think>a</think><think>b</think>",
       "r'a' t'<think>b</think>'"},
      {"begun reasoning", thinks, "so it is</think>\nYes.", "r'so it is' t'Yes.'"},
      {"begun reasoning that is begun again", thinks, "\n<think>\nso</think>Yes.", "r'so' t'Yes.'"},
      {"begun reasoning alone", thinks, "so", "r'so'"},
      {"no reasoning wanted", no_reasoning, "<think>a</think>b", "t'<think>a</think>b'"},

      {"hermes",
       hermes,
       "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>",
       "c0'weather' a0'{\"city\": \"Köln\"}'"},
      {"hermes with text before",
       hermes,
       "I look.\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
       "t'I look.\n' c0'f' a0'{}'"},
      {"hermes with text behind",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\nDone.",
       "c0'f' a0'{}' t'Done.'"},
      {"hermes twice",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":[1,{\"b\":\"}\\\"]\"}]}}</tool_call>\n"
       "<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>",
       "c0'f' a0'{\"a\":[1,{\"b\":\"}\\\"]\"}]}' c1'g' a1'{}'"},
      {"hermes with a list",
       hermes,
       "<tool_call>[{\"name\":\"f\",\"arguments\":{}}, "
       "{\"name\":\"g\",\"arguments\":{}}]</tool_call> ok",
       "c0'f' a0'{}' c1'g' a1'{}' t'ok'"},
      {"hermes without the end of the call",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":{}}",
       "c0'f' a0'{}'"},
      {"hermes after reasoning",
       hermes,
       "<think>x</think>\n\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
       "r'x' c0'f' a0'{}'"},
      {"hermes after begun reasoning",
       thinking_hermes,
       "x</think>\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
       "r'x' c0'f' a0'{}'"},
      {"arguments before the name",
       hermes,
       "<tool_call>{\"arguments\": {\"a\": 1}, \"id\": 7, \"name\": \"f\"}</tool_call>",
       "c0'f' a0'{\"a\": 1}'"},
      {"a name alone", hermes, "<tool_call>{\"name\": \"f\"}</tool_call>", "c0'f' a0'{}'"},
      {"arguments as text",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}</tool_call>",
       "c0'f' a0'{\"a\": 1}'"},
      {"no arguments",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":null}</tool_call>",
       "c0'f' a0'{}'"},
      {"a name with an escape",
       hermes,
       "<tool_call>{\"name\":\"f\\u0041\",\"arguments\":{}}</tool_call>",
       "c0'fA' a0'{}'"},
      {"cut off in the name",
       hermes,
       "<tool_call>{\"name\": \"wea",
       "t'<tool_call>{\"name\": \"wea'"},
      {"cut off in the arguments",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\": [1",
       "c0'f' a0'{\"a\": [1'"},
      {"a mark alone", hermes, "<tool_call>", "t'<tool_call>'"},
      {"no JSON", hermes, "<tool_call>f(x)</tool_call> ok", "t'<tool_call>f(x)</tool_call> ok'"},
      {"no name",
       hermes,
       "<tool_call>{\"arguments\": {}}</tool_call>",
       "t'<tool_call>{\"arguments\": {}}</tool_call>'"},
      {"no text for a name",
       hermes,
       "<tool_call>{\"name\": 3, \"arguments\": {}}</tool_call>",
       "t'<tool_call>{\"name\": 3, \"arguments\": {}}</tool_call>'"},
      {"a call behind one that is none",
       hermes,
       "<tool_call>oh <tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
       "t'<tool_call>oh ' c0'f' a0'{}'"},
      {"brackets that do not match",
       hermes,
       "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":]}}</tool_call>",
       "c0'f' a0'{\"a\":' t']}}</tool_call>'"},
      {"the beginning of a mark of calls", hermes, "a <tool_", "t'a <tool_'"},

      {"llama", llama, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "c0'f' a0'{\"a\": 1}'"},
      {"llama with a type",
       llama,
       " {\"type\": \"function\", \"name\": \"f\", \"parameters\": {}}",
       "c0'f' a0'{}'"},
      {"llama behind its tag",
       llama,
       "<|python_tag|>{\"name\": \"f\", \"parameters\": {}}",
       "c0'f' a0'{}'"},
      {"llama twice",
       llama,
       "{\"name\": \"f\", \"parameters\": {}}; {\"name\": \"g\", \"parameters\": {}}",
       "c0'f' a0'{}' c1'g' a1'{}'"},
      {"llama with a named function",
       llama,
       "<function=f>{\"a\": 1}</function>",
       "c0'f' a0'{\"a\": 1}'"},
      {"an object that is no call",
       llama,
       "{\"name\": \"Bob\", \"age\": 7} is he",
       "t'{\"name\": \"Bob\", \"age\": 7} is he'"},
      {"a name is not enough without a mark", llama, "{\"name\": \"Bob\"}", "t'{\"name\": \"Bob\"}'"
      },
      {"an object inside a text is text",
       llama,
       "See {\"name\": \"f\", \"parameters\": {}}",
       "t'See {\"name\": \"f\", \"parameters\": {}}'"},
      {"python behind the tag is text", llama, "<|python_tag|>f(1)", "t'<|python_tag|>f(1)'"},

      {"mistral's list",
       mistral,
       "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abc\"}, {\"name\": "
       "\"g\", \"arguments\": {}}]",
       "c0'f' a0'{\"a\": 1}' c1'g' a1'{}'"},
      {"mistral's list with space",
       mistral,
       "[TOOL_CALLS] [ {\"name\": \"f\", \"arguments\": {}} ] ok",
       "c0'f' a0'{}' t'ok'"},
      {"mistral's name", mistral, "[TOOL_CALLS]f[ARGS]{\"a\": 1}", "c0'f' a0'{\"a\": 1}'"},
      {"mistral's names",
       mistral,
       "x[TOOL_CALLS]f[ARGS]{}[TOOL_CALLS]g[CALL_ID]abc[ARGS]{\"a\": []}",
       "t'x' c0'f' a0'{}' c1'g' a1'{\"a\": []}'"},
      {"mistral without a call", mistral, "[TOOL_CALLS][]", "t'[TOOL_CALLS][]'"},
      {"mistral with a broken list",
       mistral,
       "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, {\"x\"}]",
       "c0'f' a0'{}' t'{\"x\"}]'"},
      {"mistral with a text", mistral, "[TOOL_CALLS]no such thing", "t'[TOOL_CALLS]no such thing'"},
      {"a bracket behind a call is text", mistral, "[TOOL_CALLS]f[ARGS]{}]", "c0'f' a0'{}' t']'"},

      {"deepseek",
       deepseek,
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": "
       "1}\n```<｜tool▁call▁end｜>\n"
       "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜><"
       "｜tool▁calls▁end｜>",
       "c0'f' a0'{\"a\": 1}' c1'g' a1'{}'"},
      {"deepseek's shorter form",
       deepseek,
       "Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": "
       "\"ü\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "t'Well.' c0'f' a0'{\"a\": \"ü\"}'"},
      {"deepseek without a name",
       deepseek,
       "<｜tool▁calls▁begin｜>ah</b>\n",
       "t'<｜tool▁calls▁begin｜>ah</b>\n'"},
      {"deepseek with other code",
       deepseek,
       "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```python\n",
       "t'<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```python\n'"},

      {"phi",
       phi,
       "<|tool_call|>[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]<|/tool_call|>",
       "c0'f' a0'{\"a\": 1}'"},
      {"phi twice",
       phi,
       "<|tool_call|>[{\"name\":\"f\",\"parameters\":{}},{\"name\":\"g\",\"parameters\":{}}]<|/"
       "tool_call|>",
       "c0'f' a0'{}' c1'g' a1'{}'"},
      {"phi's functools", phi, "functools[{\"name\": \"f\", \"arguments\": {}}]", "c0'f' a0'{}'"},
      {"functools is a word", phi, "functools.partial(f)", "t'functools.partial(f)'"},

      {"gemma",
       gemma,
       "```json\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n```",
       "c0'f' a0'{\"a\": 1}'"},
      {"gemma's tool code",
       gemma,
       "Ok.\n```tool_code\n[{\"name\": \"f\", \"parameters\": {}}]\n```",
       "t'Ok.\n' c0'f' a0'{}'"},
      {"gemma without a block", gemma, "{\"name\": \"f\", \"parameters\": {}}", "c0'f' a0'{}'"},
      {"gemma twice",
       gemma,
       "```json\n{\"name\": \"f\", \"parameters\": {}}\n```\n```json\n{\"name\": \"g\", "
       "\"parameters\": {}}\n```",
       "c0'f' a0'{}' c1'g' a1'{}'"},
      {"another code block",
       gemma,
       "```json\n{\"a\": 1}\n``` fine",
       "t'```json\n{\"a\": 1}\n``` fine'"},
  };
}

TEST(ReplyParser, cuts_replies_into_text_reasoning_and_calls) {
  for (const auto& row : cases()) {
    EXPECT_EQ(fed(row.options, row.reply, [] { return false; }), row.pieces) << row.name;
  }
}

TEST(ReplyParser, gives_the_same_character_by_character) {
  for (const auto& row : cases()) {
    EXPECT_EQ(fed(row.options, row.reply, [] { return true; }), row.pieces) << row.name;
  }
}

TEST(ReplyParser, gives_the_same_for_every_cut_into_two_parts) {
  for (const auto& row : cases()) {
    for (std::size_t at = 0; at < characters(row.reply).size(); ++at) {
      std::size_t seen = 0;
      EXPECT_EQ(fed(row.options, row.reply, [&] { return seen++ == at; }), row.pieces)
          << row.name << ", cut at " << at;
    }
  }
}

TEST(ReplyParser, gives_the_same_for_random_cuts) {
  std::mt19937 random(7);
  for (const auto& row : cases()) {
    for (int round = 0; round < 50; ++round) {
      EXPECT_EQ(fed(row.options, row.reply, [&] { return random() % 5 == 0; }), row.pieces)
          << row.name;
    }
  }
}

TEST(ReplyParser, gives_text_and_arguments_as_they_come) {
  ReplyParser parser(with(Format::kHermes));
  EXPECT_EQ(joined(parser.feed("One")), "t'One'");
  EXPECT_EQ(joined(parser.feed(" <b")), "t' <b'");
  EXPECT_EQ(joined(parser.feed("<tool")), "");
  EXPECT_EQ(joined(parser.feed("_call>{\"name\": \"f\", ")), "");
  EXPECT_EQ(joined(parser.feed("\"arguments\": {\"a")), "c0'f' a0'{\"a'");
  EXPECT_EQ(joined(parser.feed("\": 1")), "a0'\": 1'");
  EXPECT_EQ(joined(parser.feed("}}</tool_")), "a0'}'");
  EXPECT_EQ(joined(parser.finish()), "t'</tool_'");
}

TEST(ReplyParser, says_where_a_text_begins_and_what_is_not_held_back) {
  ReplyParser parser(with(Format::kHermes));
  EXPECT_TRUE(parser.feed(" <thi").empty());
  EXPECT_EQ(parser.settled(), 0U);
  auto pieces = parser.feed("nk> ö ");
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].begin, 9U);
  EXPECT_EQ(parser.settled(), 11U);  // the white space may be the thought's end
  pieces = parser.feed("</think>\n\nYes<tool");
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].begin, 22U);
  EXPECT_EQ(parser.settled(), 25U);
  EXPECT_TRUE(parser.feed("_call>{\"name\": \"f\"").empty());
  EXPECT_EQ(parser.settled(), 25U);
  EXPECT_EQ(parser.feed(", \"arguments\": {}}</tool_call> No").size(), 3U);
  pieces = parser.feed("!");
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].begin, parser.settled() - 1);
}

TEST(ReplyParser, counts_the_calls_that_have_all_of_their_arguments) {
  const auto whole_of = [](Format format, const std::string& reply) {
    ReplyParser parser(with(format));
    for (const auto& c : characters(reply)) (void)parser.feed(c);
    (void)parser.finish();
    return parser.whole_calls();
  };
  const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": ";
  EXPECT_EQ(whole_of(Format::kHermes, "text"), 0U);
  EXPECT_EQ(whole_of(Format::kHermes, "<tool_call>{\"name\": \"f\"}"), 1U);
  for (const std::string arguments : {"{\"a\": \"}\"}", "[]", "\"{}\"", "null}", "7}", "true }"}) {
    EXPECT_EQ(whole_of(Format::kHermes, call + arguments), 1U) << arguments;
  }
  for (const std::string arguments :
       {"{", "{\"a\": \"", "{\"a\": \"b\"", "{\"a\": ]}}", "\"{\"}"}) {
    EXPECT_EQ(whole_of(Format::kHermes, call + arguments), 0U) << arguments;
  }
  const std::string whole = call + "{}}</tool_call>";
  EXPECT_EQ(whole_of(Format::kHermes, whole + whole), 2U);
  EXPECT_EQ(whole_of(Format::kHermes, whole + call + "{\"a\": 1"), 1U);
  EXPECT_EQ(whole_of(Format::kHermes, call + "{\"a\": ]}</tool_call>" + whole), 0U);
  EXPECT_EQ(whole_of(Format::kHermes, whole + "<tool_call>{\"na"), 1U);
  EXPECT_EQ(whole_of(Format::kMistral, "[TOOL_CALLS]f[ARGS]{\"a\": 1"), 0U);
  EXPECT_EQ(whole_of(Format::kMistral, "[TOOL_CALLS]f[ARGS]{\"a\": 1}"), 1U);
}

TEST(ReplyParser, a_call_that_never_comes_to_its_arguments_is_text) {
  const auto llama = with(Format::kLlama3);
  const auto reply = "{\"x\": \"" + std::string(200'000, 'y');
  EXPECT_EQ(fed(llama, reply, [] { return true; }), "t'" + reply + "'");
  EXPECT_EQ(fed(llama, reply, [] { return false; }), "t'" + reply + "'");

  std::string marks;
  for (int i = 0; i < 3'000; ++i) marks += "<tool_call>{\"x\": \"";
  EXPECT_EQ(fed(with(Format::kHermes), marks, [] { return true; }), "t'" + marks + "'");
}

TEST(ReplyFormat, is_read_from_the_chat_template) {
  EXPECT_EQ(reply_format_of("…{{ '[TOOL_CALLS]' }}…"), Format::kMistral);
  EXPECT_EQ(reply_format_of("{{'<｜tool▁calls▁begin｜>'}}"), Format::kDeepSeek);
  EXPECT_EQ(reply_format_of("<|im_start|><tool_call>"), Format::kHermes);
  EXPECT_EQ(reply_format_of("<|start_header_id|> <tool_call>"), Format::kHermes);
  EXPECT_EQ(reply_format_of("<|tool_call|>"), Format::kPhi);
  EXPECT_EQ(reply_format_of("<|start_header_id|>…<|python_tag|>"), Format::kLlama3);
  EXPECT_EQ(reply_format_of("<start_of_turn>model"), Format::kGemma);
  EXPECT_EQ(
      reply_format_of("<|im_start|>system\nYou are a helpful AI assistant named SmolLM"),
      Format::kSmolLm
  );
  EXPECT_EQ(reply_format_of("named SmolLM … <tool_call>"), Format::kHermes) << "as it says itself";
  EXPECT_EQ(reply_format_of(""), Format::kHermes);
}

TEST(ReplyFormat, names_its_marks) {
  EXPECT_THAT(
      reply_marks(Format::kMistral), ::testing::IsSupersetOf({"[TOOL_CALLS]", "[ARGS]", "<think>"})
  );
  EXPECT_THAT(
      reply_marks(Format::kHermes), ::testing::IsSupersetOf({"<tool_call>", "</tool_call>"})
  );
}

// Bytes, and an end.
std::shared_ptr<const GrammarVocabulary> byte_vocabulary() {
  std::vector<GrammarVocabulary::Entry> tokens;
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back({std::string(1, static_cast<char>(byte))});
  tokens.push_back({"<|end|>", true});
  const std::vector<std::int32_t> ends = {256};
  return *GrammarVocabulary::make(tokens, ends);
}

bool grammar_takes(const std::string& lark, std::string_view text) {
  auto grammar = Grammar::compile(byte_vocabulary(), Grammar::Kind::kLark, lark);
  EXPECT_TRUE(grammar.ok()) << grammar.status().to_string() << "\n" << lark;
  if (!grammar.ok()) return false;
  for (const char c : text) {
    if (!(*grammar)->accept(static_cast<unsigned char>(c)).ok()) return false;
  }
  return (*grammar)->accept(256).ok();
}

const std::vector<ReplyTool>& two_tools() {
  static const std::vector<ReplyTool> tools = {
      {"weather",
       R"({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false})"
      },
      {"now", ""},
  };
  return tools;
}

struct Call {
  Format format;
  const char* one;
  const char* two;
};

const Call kCalls[] = {
    {Format::kHermes,
     "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>",
     "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": "
     "\"now\", \"arguments\": {}}\n</tool_call>"},
    {Format::kLlama3,
     "{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}",
     "{\"name\": \"now\", \"parameters\": {}}; {\"name\": \"now\", \"parameters\": {}}"},
    {Format::kMistral,
     "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]",
     "[TOOL_CALLS][{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": {}}]"
    },
    {Format::kDeepSeek,
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"city\":"
     " \"Köln\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<"
     "｜tool▁call▁end｜>\n"
     "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><"
     "｜tool▁calls▁end｜>"},
    {Format::kPhi,
     "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]<|/tool_call|>",
     "<|tool_call|>[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": "
     "{}}]<|/tool_call|>"},
    {Format::kGemma,
     "```json\n{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}\n```",
     "```json\n{\"name\": \"now\", \"parameters\": {}}\n```\n```json\n{\"name\": \"now\", "
     "\"parameters\": {}}\n```"},
    {Format::kSmolLm,
     "<tool_call>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]</tool_call>",
     "<tool_call>[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": "
     "{}}]</tool_call>"},
};

TEST(ToolCallGrammar, takes_what_the_parser_reads_and_nothing_else) {
  for (const auto& row : kCalls) {
    const auto lark = tool_call_grammar(row.format, two_tools(), false);
    ASSERT_TRUE(lark.ok());
    EXPECT_TRUE(grammar_takes(*lark, row.one)) << row.one;
    EXPECT_FALSE(grammar_takes(*lark, row.two)) << row.two;
    EXPECT_FALSE(grammar_takes(*lark, "Hello"));
    std::string other(row.one);
    other.replace(other.find("weather"), 7, "climate");
    EXPECT_FALSE(grammar_takes(*lark, other)) << other;
    std::string wrong(row.one);
    wrong.replace(wrong.find("city"), 4, "town");
    EXPECT_FALSE(grammar_takes(*lark, wrong)) << wrong;
    EXPECT_EQ(
        fed(with(row.format), row.one, [] { return false; }), "c0'weather' a0'{\"city\": \"Köln\"}'"
    );
  }
}

TEST(ToolCallGrammar, takes_several_calls_where_they_may_be_parallel) {
  for (const auto& row : kCalls) {
    const auto lark = *tool_call_grammar(row.format, two_tools(), true);
    EXPECT_TRUE(grammar_takes(lark, row.one)) << row.one;
    EXPECT_TRUE(grammar_takes(lark, row.two)) << row.two;
    EXPECT_EQ(
        fed(with(row.format), row.two, [] { return false; }), "c0'now' a0'{}' c1'now' a1'{}'"
    );
  }
}

TEST(ToolCalls, are_written_as_the_grammar_takes_them_and_the_parser_reads_them) {
  for (const auto& row : kCalls) {
    const auto one = tool_calls_text(row.format, {{"weather", R"({"city": "Köln"})"}});
    EXPECT_EQ(one, row.one);
    EXPECT_EQ(tool_calls_text(row.format, {{"now", ""}, {"now", "{}"}}), row.two);
  }
}

TEST(ToolCalls, are_explained_where_a_template_does_not) {
  const auto text = tool_instructions(Format::kHermes, "[1]");
  EXPECT_THAT(text, HasSubstr("<tools>\n[1]\n</tools>"));
  EXPECT_THAT(text, HasSubstr("<tool_call>\n{\"name\": \"FUNCTION\", \"arguments\": "));
}

TEST(ToolCallGrammar, of_a_call_beside_text_begins_behind_its_mark) {
  for (const auto& row : kCalls) {
    const std::string_view mark = call_mark(row.format);
    const bool bare = row.format == Format::kLlama3 || row.format == Format::kGemma;
    EXPECT_EQ(mark.empty(), bare) << row.one;
    if (bare) continue;
    ASSERT_TRUE(std::string_view(row.one).starts_with(mark)) << mark;
    const std::string one(std::string_view(row.one).substr(mark.size()));
    const std::string two(std::string_view(row.two).substr(mark.size()));
    const auto single = *marked_call_grammar(row.format, two_tools(), false);
    EXPECT_TRUE(grammar_takes(single.grammar, one)) << one;
    EXPECT_FALSE(grammar_takes(single.grammar, two)) << two;
    EXPECT_FALSE(single.repeats);
    const auto many = *marked_call_grammar(row.format, two_tools(), true);
    EXPECT_EQ(many.repeats, row.format == Format::kHermes);
    EXPECT_EQ(grammar_takes(many.grammar, two), !many.repeats) << two;
    std::string wrong = one;
    wrong.replace(wrong.find("city"), 4, "town");
    EXPECT_FALSE(grammar_takes(single.grammar, wrong)) << wrong;
  }
  EXPECT_FALSE(marked_call_grammar(Format::kHermes, {}, true).ok());
  EXPECT_EQ(call_mark(Format::kPlain), "");
}

TEST(ToolCallGrammar, bounds_are_the_numbers_that_were_given) {
  const auto lark = tool_call_grammar(
      Format::kHermes,
      {{"f", R"({"properties":{"x":{"type":"number","minimum":-123456789.12345679}}})"}},
      true
  );
  ASSERT_TRUE(lark.ok()) << lark.status().text();
  const std::size_t at = lark->find("\"minimum\":");
  ASSERT_NE(at, std::string::npos) << *lark;
  EXPECT_EQ(std::strtod(lark->c_str() + at + 10, nullptr), -123456789.12345679) << *lark;
}

TEST(ToolCallGrammar, refuses_what_is_no_tool) {
  EXPECT_FALSE(tool_call_grammar(Format::kHermes, {}, true).ok());
  EXPECT_FALSE(tool_call_grammar(Format::kHermes, {{"f", "["}}, true).ok());
  EXPECT_FALSE(tool_call_grammar(Format::kHermes, {{"f", "3"}}, true).ok());
  const auto lark = *tool_call_grammar(Format::kHermes, {{"f\"\n%json", R"({"not": {}})"}}, true);
  const auto made = Grammar::compile(byte_vocabulary(), Grammar::Kind::kLark, lark);
  EXPECT_FALSE(made.ok());
}

}  // namespace
}  // namespace cortex::text
