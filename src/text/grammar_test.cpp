// SPDX-License-Identifier: Apache-2.0
#include "text/grammar.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::text {
namespace {

using ::testing::HasSubstr;
using Kind = Grammar::Kind;
using Vocabulary = std::shared_ptr<const GrammarVocabulary>;

constexpr std::int32_t kEnd = 256;
constexpr std::int32_t kOtherEnd = 257;
constexpr std::int32_t kTrueToken = 258;
constexpr std::int32_t kCallToken = 259;

// Tokens 0 … 255 are bytes.
std::vector<GrammarVocabulary::Entry> entries() {
  std::vector<GrammarVocabulary::Entry> made;
  for (int byte = 0; byte < 256; ++byte) made.push_back({std::string(1, static_cast<char>(byte))});
  made.push_back({"<|end|>", true});
  made.push_back({"<|eot|>", true});
  made.push_back({"true"});
  made.push_back({"<|call|>", true});
  return made;
}

Vocabulary vocabulary() {
  static const Vocabulary made = [] {
    const std::vector<std::int32_t> ends = {kEnd, kOtherEnd};
    return *GrammarVocabulary::make(entries(), ends);
  }();
  return made;
}

std::unique_ptr<Grammar> compiled(Kind kind, std::string_view text) {
  auto made = Grammar::compile(vocabulary(), kind, text);
  EXPECT_TRUE(made.ok()) << text << "\n" << made.status().to_string();
  return made.ok() ? std::move(*made) : nullptr;
}

std::string compile_error(Kind kind, std::string_view text) {
  const auto made = Grammar::compile(vocabulary(), kind, text);
  EXPECT_FALSE(made.ok()) << text;
  if (made.ok()) return "";
  EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
  return made.status().text();
}

std::set<std::int32_t> allowed(Grammar& grammar) {
  std::vector<std::uint32_t> mask((entries().size() + 31) / 32, ~0U);
  const auto status = grammar.allow(mask);
  EXPECT_TRUE(status.ok()) << status.to_string();
  std::set<std::int32_t> tokens;
  for (std::size_t t = 0; t < mask.size() * 32; ++t) {
    if ((mask[t / 32] >> (t % 32) & 1U) != 0) tokens.insert(static_cast<std::int32_t>(t));
  }
  return tokens;
}

bool may_end(Grammar& grammar) { return allowed(grammar).contains(kEnd); }

// Says the text byte by byte; false where a byte is not allowed.
bool takes(Grammar& grammar, std::string_view text) {
  for (const char c : text) {
    const std::int32_t token = static_cast<unsigned char>(c);
    const bool masked = !allowed(grammar).contains(token);
    const bool refused = !grammar.accept(token).ok();
    EXPECT_EQ(masked, refused) << "mask and accept differ at '" << c << "' of " << text;
    if (masked || refused) return false;
  }
  return true;
}

bool matches(Kind kind, std::string_view grammar, std::string_view text) {
  const auto made = compiled(kind, grammar);
  return made != nullptr && takes(*made, text) && may_end(*made);
}

struct Row {
  const char* keyword;
  const char* schema;
  std::vector<const char*> right;
  std::vector<const char*> wrong;
};

const std::vector<Row>& supported() {
  static const std::vector<Row> rows = {
      {"type",
       R"({"type": ["integer", "null"]})",
       {"1", "-20", "null"},
       {"1.5", "\"1\"", "true", "01"}},
      {"type", R"({"type": "number"})", {"1", "-0.5", "12.25"}, {"\"1\"", "1.", "null"}},
      {"type", R"({"type": "boolean"})", {"true", "false"}, {"True", "0"}},
      {"enum",
       R"({"enum": ["a", 1, null, {"b": [true]}]})",
       {"\"a\"", "1", "null", "{\"b\": [true]}"},
       {"\"b\"", "2", "{\"b\": [false]}", "{}"}},
      {"const", R"({"const": "é\"x"})", {"\"é\\\"x\""}, {"\"e\"", "\"é\""}},
      {"const", R"({"const": 7})", {"7"}, {"8", "77"}},
      {"anyOf",
       R"({"anyOf": [{"type": "null"}, {"type": "string"}]})",
       {"null", "\"\""},
       {"1", "[]"}},
      {"oneOf",
       R"({"oneOf": [{"type": "null"}, {"type": "integer"}]})",
       {"null", "3"},
       {"\"\"", "1.5"}},
      {"oneOf",
       R"({"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]},
           {"type": "object", "properties": {"k": {"const": "b"}, "n": {"type": "integer"}}, "required": ["k", "n"]}]})",
       {R"({"k": "a"})", R"({"k": "b", "n": 1})"},
       {R"({"k": "b"})", R"({"k": "c"})"}},
      {"oneOf",
       R"({"$defs": {"A": {"type": "object", "properties": {"k": {"const": "a", "type": "string"}}, "required": ["k"]},
           "B": {"type": "object", "properties": {"k": {"enum": ["b", "c"]}}, "required": ["k"]}}, "items": {"oneOf":
           [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "discriminator": {"propertyName": "k",
           "mapping": {"a": "#/$defs/A", "b": "#/$defs/B"}}}, "type": "array"})",
       {R"([{"k": "a"}, {"k": "c"}])"},
       {R"([{"k": "d"}])", "[{}]", "[null]"}},
      {"allOf",
       R"({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 5}]})",
       {"3", "5"},
       {"2", "6"}},
      {"$ref",
       R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties":
           {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
           "required": ["next"], "additionalProperties": false}}})",
       {R"({"next": null})", R"({"next": {"next": null}})"},
       {R"({"next": 1})", R"({"next": {}})", "{}"}},
      {"$defs",
       R"({"$defs": {"n": {"type": "null"}}, "type": "array", "items": {"$ref": "#/$defs/n"}})",
       {"[]", "[null]"},
       {"[1]"}},
      {"definitions",
       R"({"definitions": {"n": {"type": "null"}}, "$ref": "#/definitions/n"})",
       {"null"},
       {"1"}},
      {"properties",
       R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "null"}}, "additionalProperties": false})",
       {"{}", R"({"a": 1})", R"({"a": 1, "b": null})", R"({"b":null})"},
       {R"({"a": null})", R"({"b": 1})", R"({"a": 1,})"}},
      {"required",
       R"({"type": "object", "properties": {"a": {}}, "required": ["a", "z"]})",
       {R"({"a": 1, "z": 2})"},
       {"{}", R"({"a": 1})"}},
      {"additionalProperties",
       R"({"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}})",
       {R"({"a": "x", "b": 1})", R"({"b": 1})"},
       {R"({"b": "x"})"}},
      {"additionalProperties",
       R"({"type": "object", "additionalProperties": false})",
       {"{}"},
       {R"({"b": 1})"}},
      {"patternProperties",
       R"({"type": "object", "patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": false})",
       {R"({"n_a": 1})", "{}"},
       {R"({"n_a": "x"})", R"({"x": 1})"}},
      {"minProperties",
       R"({"type": "object", "minProperties": 1})",
       {R"({"a": 1})", R"({"a": 1, "b": 2})"},
       {"{}"}},
      {"maxProperties",
       R"({"type": "object", "maxProperties": 1})",
       {"{}", R"({"a": 1})"},
       {R"({"a": 1, "b": 2})"}},
      {"items",
       R"({"type": "array", "items": {"type": "integer"}})",
       {"[]", "[1, 2]"},
       {"[\"a\"]", "[1 2]", "{}"}},
      {"prefixItems",
       R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}], "items": false})",
       {"[]", "[1]", "[1, null]"},
       {"[null]", "[1, null, 2]"}},
      {"minItems",
       R"({"type": "array", "items": {"type": "integer"}, "minItems": 2})",
       {"[1,2]", "[1,2,3]"},
       {"[1]", "[]"}},
      {"maxItems",
       R"({"type": "array", "items": {"type": "integer"}, "maxItems": 2})",
       {"[]", "[1,2]"},
       {"[1,2,3]"}},
      {"minLength",
       R"({"type": "string", "minLength": 2})",
       {"\"ab\"", "\"éé\""},
       {"\"a\"", "\"é\""}},
      {"maxLength", R"({"type": "string", "maxLength": 2})", {"\"\"", "\"é\\n\""}, {"\"abc\""}},
      {"pattern",
       R"({"type": "string", "pattern": "b+"})",
       {"\"b\"", "\"abbc\""},
       {"\"ac\"", "\"\""}},
      {"pattern",
       R"({"type": "string", "pattern": "^[a-c]{2}$"})",
       {"\"ab\""},
       {"\"abc\"", "\"xab\"", "\"a\""}},
      {"pattern", R"({"type": "string", "pattern": "^a|b$"})", {"\"ax\"", "\"xb\""}, {"\"xax\""}},
      {"minimum", R"({"type": "number", "minimum": 1.5})", {"1.5", "2", "10"}, {"1.4", "0", "-2"}},
      {"maximum", R"({"type": "integer", "maximum": 10})", {"10", "-100"}, {"11", "100"}},
      {"exclusiveMinimum", R"({"type": "integer", "exclusiveMinimum": 1})", {"2"}, {"1", "0"}},
      {"exclusiveMaximum",
       R"({"type": "number", "exclusiveMaximum": 1})",
       {"0.99", "-1"},
       {"1", "1.0", "2"}},
      {"multipleOf", R"({"type": "integer", "multipleOf": 5})", {"0", "5", "-15"}, {"3", "51"}},
      {"multipleOf",
       R"({"type": "number", "multipleOf": 0.25})",
       {"0.25", "1.50", "-2.50"},
       {"0.3", "1.1"}},
      {"format",
       R"({"type": "string", "format": "date"})",
       {"\"2025-11-21\""},
       {"\"2025-13-01\"", "\"x\""}},
      {"format",
       R"({"type": "string", "format": "date-time"})",
       {"\"2025-11-21T20:00:00Z\""},
       {"\"2025-11-21\""}},
      {"format", R"({"type": "string", "format": "time"})", {"\"20:00:00Z\""}, {"\"25:00:00Z\""}},
      {"format", R"({"type": "string", "format": "duration"})", {"\"P1DT2H\""}, {"\"1d\""}},
      {"format", R"({"type": "string", "format": "email"})", {"\"a@b.example\""}, {"\"a.b\""}},
      {"format",
       R"({"type": "string", "format": "hostname"})",
       {"\"a.example\""},
       {"\"-a-\"", "\"a b\""}},
      {"format", R"({"type": "string", "format": "ipv4"})", {"\"127.0.0.1\""}, {"\"127.0.0.256\""}},
      {"format", R"({"type": "string", "format": "ipv6"})", {"\"::1\""}, {"\"127.0.0.1\"", "\":\""}
      },
      {"format",
       R"({"type": "string", "format": "uuid"})",
       {"\"123e4567-e89b-12d3-a456-426614174000\""},
       {"\"123e\""}},
      {"format",
       R"({"type": "string", "format": "uri"})",
       {"\"https://a.example/b?c#d\""},
       {"\"a b\""}},
      {"uniqueItems",
       R"({"type": "array", "uniqueItems": false, "items": {"type": "null"}})",
       {"[null,null]"},
       {"[1]"}},
      {"$id", R"({"$id": "https://a.example/s", "type": "null"})", {"null"}, {"1"}},
  };
  return rows;
}

// These say nothing about a text.
const std::vector<const char*>& annotations() {
  static const std::vector<const char*> words = {
      "$comment",
      "$schema",
      "title",
      "description",
      "default",
      "example",
      "examples",
      "deprecated",
      "readOnly",
      "writeOnly",
      "discriminator",
      "contentMediaType",
      "contentEncoding",
      "contentSchema",
      "x-order"
  };
  return words;
}

struct Refused {
  const char* keyword;
  const char* schema;
};

const std::vector<Refused>& unsupported() {
  static const std::vector<Refused> rows = {
      {"uniqueItems", R"({"type": "array", "uniqueItems": true})"},
      {"contains", R"({"contains": {"type": "null"}})"},
      {"minContains", R"({"minContains": 1})"},
      {"maxContains", R"({"maxContains": 1})"},
      {"not", R"({"not": {"type": "null"}})"},
      {"if", R"({"if": {"type": "null"}})"},
      {"then", R"({"then": {"type": "null"}})"},
      {"else", R"({"else": {"type": "null"}})"},
      {"dependentRequired", R"({"dependentRequired": {"a": ["b"]}})"},
      {"dependentSchemas", R"({"dependentSchemas": {"a": {}}})"},
      {"dependencies", R"({"dependencies": {"a": ["b"]}})"},
      {"propertyNames", R"({"propertyNames": {"maxLength": 3}})"},
      {"unevaluatedProperties", R"({"unevaluatedProperties": false})"},
      {"unevaluatedItems", R"({"unevaluatedItems": false})"},
      {"additionalItems", R"({"additionalItems": false})"},
      {"nullable", R"({"type": "string", "nullable": true})"},
      {"$anchor", R"({"$anchor": "a"})"},
      {"$dynamicRef", R"({"$dynamicRef": "#a"})"},
      {"$dynamicAnchor", R"({"$dynamicAnchor": "a"})"},
      {"$recursiveRef", R"({"$recursiveRef": "#"})"},
      {"$vocabulary", R"({"$vocabulary": {}})"},
      // Known keywords in forms that are not supported.
      {"$ref", R"({"$ref": "https://a.example/s"})"},
      {"$ref", R"({"$ref": "#name"})"},
      {"$id", R"({"properties": {"a": {"$id": "https://a.example/s"}}})"},
      {"items", R"({"items": [{"type": "null"}]})"},
      {"format", R"({"type": "string", "format": "regex"})"},
      {"format", R"({"type": "string", "format": "unknown"})"},
      {"exclusiveMinimum", R"({"type": "integer", "minimum": 1, "exclusiveMinimum": true})"},
      {"const", R"({"const": 9007199254740993})"},
      {"enum", R"({"enum": [[1e300]]})"},
      {"maximum", R"({"maximum": 1e300})"},
      {"multipleOf", R"({"type": "integer", "multipleOf": 0})"},
      {"minProperties", R"({"type": "object", "minProperties": 2})"},
      {"minProperties",
       R"({"type": "object", "properties": {"a": {}, "b": {}}, "minProperties": 1})"},
      {"$ref", R"({"const": {"not": {}}, "$ref": "#/const"})"},
      {"oneOf", R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})"},
      {"typo", R"({"type": "string", "typo": 1})"},
      {"typo", R"({"properties": {"a": {"anyOf": [{"typo": 1}]}}})"},
      {"typo", R"({"$defs": {"unused": {"typo": 1}}})"},
  };
  return rows;
}

TEST(JsonSchema, every_supported_keyword_takes_the_right_text_and_refuses_the_wrong_one) {
  for (const auto& row : supported()) {
    for (const auto* text : row.right) {
      EXPECT_TRUE(matches(Kind::kJsonSchema, row.schema, text)) << row.schema << " " << text;
    }
    for (const auto* text : row.wrong) {
      EXPECT_FALSE(matches(Kind::kJsonSchema, row.schema, text)) << row.schema << " " << text;
    }
  }
}

TEST(JsonSchema, annotations_say_nothing_about_the_text) {
  for (const auto* word : annotations()) {
    const auto schema = R"({"type": "null", ")" + std::string(word) + R"(": "x"})";
    EXPECT_TRUE(matches(Kind::kJsonSchema, schema, "null")) << word;
    EXPECT_FALSE(matches(Kind::kJsonSchema, schema, "1")) << word;
  }
}

TEST(JsonSchema, what_is_not_supported_is_an_error_that_names_the_keyword) {
  for (const auto& row : unsupported()) {
    const auto message = compile_error(Kind::kJsonSchema, row.schema);
    const bool names = message.find(row.keyword) != std::string::npos ||
                       (std::string_view(row.keyword) == "minProperties" &&
                        message.find("maxProperties") != std::string::npos);
    EXPECT_TRUE(names) << row.schema << "\n" << message;
  }
}

TEST(JsonSchema, the_published_table_is_the_tested_one) {
  std::ifstream file(CORTEX_SOURCE_DIR "/docs/structured-output.md");
  ASSERT_TRUE(file.good());
  std::set<std::string> published;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const auto cell = line.substr(1, line.find('|', 1) - 1);
    for (std::size_t at = 0; (at = cell.find('`', at)) != std::string::npos;) {
      const auto end = cell.find('`', at + 1);
      published.insert(cell.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  }
  std::set<std::string> tested;
  for (const auto& row : supported()) tested.insert(row.keyword);
  for (const auto& row : unsupported()) tested.insert(row.keyword);
  tested.insert(annotations().begin(), annotations().end());
  tested.erase("typo");
  tested.erase("x-order");
  tested.insert("x-…");
  EXPECT_EQ(published, tested);
}

TEST(JsonSchema, any_value_and_any_object) {
  EXPECT_TRUE(matches(Kind::kJsonSchema, "{}", R"({"a": [1, "x", {"b": null}]})"));
  EXPECT_TRUE(matches(Kind::kJsonSchema, "true", "[]"));
  EXPECT_FALSE(matches(Kind::kJsonSchema, R"({"type": "object"})", "[]"));
  EXPECT_FALSE(matches(Kind::kJsonSchema, "{}", "{"));
  EXPECT_THAT(compile_error(Kind::kJsonSchema, "false"), HasSubstr("allows nothing"));
}

TEST(JsonSchema, a_property_cannot_be_spelt_in_a_second_way) {
  constexpr const char* kSchema = R"({"type": "object", "properties": {"a": {"type": "null"}}})";
  EXPECT_TRUE(matches(Kind::kJsonSchema, kSchema, R"({"a": null, "b\n\"": "\t"})"));
  EXPECT_FALSE(matches(Kind::kJsonSchema, kSchema, R"({"\u0061": 1})"));
}

TEST(JsonSchema, the_order_of_keywords_does_not_matter) {
  for (const auto* schema :
       {R"({"patternProperties": {"^a": {}}, "anyOf": [{"required": ["ab"]}],
                                 "additionalProperties": false})",
        R"({"additionalProperties": false, "anyOf": [{"required": ["ab"]}],
                                 "patternProperties": {"^a": {}}})"}) {
    EXPECT_TRUE(matches(Kind::kJsonSchema, schema, R"({"ab": 1, "ac": 2})")) << schema;
    EXPECT_FALSE(matches(Kind::kJsonSchema, schema, R"({"ab": 1, "b": 2})")) << schema;
    EXPECT_FALSE(matches(Kind::kJsonSchema, schema, R"({"ac": 2})")) << schema;
  }
}

TEST(JsonSchema, white_space_is_bounded) {
  EXPECT_TRUE(matches(Kind::kJsonSchema, R"({"type": "array"})", "[" + std::string(32, ' ') + "]"));
  EXPECT_FALSE(matches(Kind::kJsonSchema, R"({"type": "array"})", "[" + std::string(33, ' ') + "]")
  );
}

TEST(JsonSchema, texts_that_are_no_schema_are_refused) {
  for (const auto* text :
       {"",
        "{",
        "1",
        "[]",
        R"({"type": "what"})",
        R"({"type": 3})",
        R"({"properties": 1})",
        R"({"anyOf": {}})",
        R"({"minItems": -1})",
        R"({"minItems": 1.5})",
        R"({"required": "a"})",
        R"({"enum": []})",
        R"({"pattern": "("})",
        R"({"pattern": "(?=a)b"})",
        R"({"$ref": "#/$defs/none"})",
        R"({"minItems": 3, "maxItems": 1, "type": "array"})",
        "\"\xff\""}) {
    EXPECT_FALSE(compile_error(Kind::kJsonSchema, text).empty()) << text;
  }
}

TEST(JsonSchema, references_that_lead_back_to_themselves_are_refused_where_they_stand) {
  struct Loop {
    const char* schema;
    const char* place;
  };
  for (const auto& [schema, place] : std::initializer_list<Loop>{
           {R"({"$ref": "#"})", "from # back"},
           {R"({"$ref": "#", "type": "object"})", "from # back"},
           {R"({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})", "#/$defs/a"},
           {R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})", "#/$defs/a"},
           {R"({"$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}}})", "#/$defs/a"
           },
           {R"({"items": {"allOf": [{"oneOf": [{"$ref": "#/items"}]}]}})", "#/items"},
           {R"({"properties": {"x": {"$ref": "#/$defs/loop"}}, "required": ["x"],
               "additionalProperties": false, "$defs": {"loop": {"$ref": "#/$defs/loop"}}})",
            "#/$defs/loop"},
       }) {
    const auto message = compile_error(Kind::kJsonSchema, schema);
    EXPECT_THAT(message, HasSubstr("'$ref' leads from ")) << schema;
    EXPECT_THAT(message, HasSubstr(place)) << schema;
  }
}

TEST(JsonSchema, references_may_come_back_inside_of_a_property_or_an_item) {
  EXPECT_TRUE(matches(
      Kind::kJsonSchema,
      R"({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]})",
      "[null, [[], null]]"
  ));
  // Two ways to one schema are no loop.
  EXPECT_TRUE(matches(
      Kind::kJsonSchema,
      R"({"$defs": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}, "n": {"type": "null"}},
          "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}, {"$ref": "#/$defs/n"}]})",
      "null"
  ));
}

// A property "x" with one of some alternatives, which may refer to what is defined here.
std::string one_of(std::string_view alternatives) {
  return R"({"$defs": {
      "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}}},
      "Dog": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}},
      "Pup": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}},
      "Free": {"type": "object", "properties": {"kind": {"const": "fish"}}},
      "One": {"type": "object", "required": ["v"], "properties": {"v": {"const": 1}}},
      "Two": {"type": "object", "required": ["v"], "properties": {"v": {"const": 2.5}}},
      "Wide": {"type": "object", "required": ["v"], "properties": {"v": {"const": 1.0}}},
      "Left": {"type": "object", "required": ["l"], "properties": {"l": {}}, "additionalProperties": false},
      "Right": {"type": "object", "required": ["r"], "properties": {"r": {}}, "additionalProperties": false},
      "Pet": {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
      "Kind": {"const": "cow"},
      "Cow": {"allOf": [{"type": "object", "required": ["kind"]},
                        {"properties": {"kind": {"$ref": "#/$defs/Kind"}}}]},
      "Text": {"type": "string"}, "Nothing": {"type": "null"},
      "Deep": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Deep"}}},
      "Deeper": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Deeper"}}}
    }, "properties": {"x": {"oneOf": [)" +
         std::string(alternatives) + R"(]}}, "required": ["x"], "type": "object"})";
}

TEST(JsonSchema, one_of_takes_references_to_alternatives_that_exclude_each_other) {
  struct Choice {
    const char* alternatives;
    const char* right;
    const char* wrong;
  };
  for (const auto& [alternatives, right, wrong] : std::initializer_list<Choice>{
           {R"({"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"})",
            R"({"kind": "dog"})",
            R"({"kind": "cow"})"},
           {R"({"$ref": "#/$defs/Text"}, {"$ref": "#/$defs/Nothing"}, {"$ref": "#/$defs/Cat"})",
            "null",
            "1"},
           {R"({"$ref": "#/$defs/One"}, {"$ref": "#/$defs/Two"})", R"({"v": 2.5})", R"({"v": 2})"},
           {R"({"$ref": "#/$defs/Left"}, {"$ref": "#/$defs/Right"})", R"({"r": 1})", "{}"},
           {R"({"$ref": "#/$defs/Pet"}, {"$ref": "#/$defs/Cow"})",
            R"({"kind": "cow"})",
            R"({"kind": "cat", "kind": "cow"})"},
           {R"({"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Nothing"}]}, {"$ref": "#/$defs/Dog"})",
            "null",
            "{}"},
           {R"({"$ref": "#/$defs/Dog"}, {"$ref": "#/$defs/Free", "required": ["kind"]})",
            R"({"kind": "fish"})",
            "{}"},
       }) {
    const auto schema = one_of(alternatives);
    EXPECT_TRUE(matches(Kind::kJsonSchema, schema, R"({"x": )" + std::string(right) + "}"))
        << alternatives;
    EXPECT_FALSE(matches(Kind::kJsonSchema, schema, R"({"x": )" + std::string(wrong) + "}"))
        << alternatives;
  }
}

TEST(JsonSchema, one_of_whose_alternatives_may_overlap_is_refused_where_it_stands) {
  for (const auto* alternatives : {
           R"({"$ref": "#/$defs/Dog"}, {"$ref": "#/$defs/Pup"})",
           R"({"$ref": "#/$defs/Dog"}, {"$ref": "#/$defs/Dog"})",
           R"({"$ref": "#/$defs/Dog"}, {"$ref": "#/$defs/Free"}, {"type": "object"})",
           R"({"$ref": "#/$defs/One"}, {"$ref": "#/$defs/Wide"})",
           R"({"$ref": "#/$defs/Pet"}, {"$ref": "#/$defs/Pup"})",
           R"({"$ref": "#/$defs/Deep"}, {"$ref": "#/$defs/Deeper"})",
           R"({"type": "integer"}, {"type": "number"})",
       }) {
    const auto message = compile_error(Kind::kJsonSchema, one_of(alternatives));
    EXPECT_THAT(message, HasSubstr("'oneOf' at #/properties/x/oneOf needs")) << alternatives;
    EXPECT_THAT(message, ::testing::Not(HasSubstr("coerce"))) << alternatives;
    const auto lark = compile_error(Kind::kLark, "start: %json " + one_of(alternatives));
    EXPECT_THAT(lark, HasSubstr("'oneOf' at #/properties/x/oneOf needs")) << alternatives;
  }
  EXPECT_TRUE(matches(
      Kind::kLark,
      "start: %json " + one_of(R"({"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"})"),
      R"({"x": {"kind": "cat"}})"
  ));
}

// Definitions that refer to each other in a row; `%` in `one` is the next.
std::string chain(std::size_t count, std::string_view one) {
  std::string out = R"({"$ref": "#/$defs/0", "$defs": {)";
  const auto hole = one.find('%');
  for (std::size_t i = 0; i < count; ++i) {
    out += "\"" + std::to_string(i) + "\": " + std::string(one.substr(0, hole)) +
           R"({"$ref": "#/$defs/)" + std::to_string(i + 1) + "\"}" +
           std::string(one.substr(hole + 1)) + ", ";
  }
  return out + "\"" + std::to_string(count) + R"(": {"type": "null"}}})";
}

TEST(JsonSchema, long_rows_of_references_are_bounded) {
  EXPECT_TRUE(matches(Kind::kJsonSchema, chain(500, "%"), "null"));
  EXPECT_TRUE(matches(Kind::kJsonSchema, chain(200, R"({"items": %, "type": "array"})"), "[[]]"));
  for (const auto* one :
       {"%",
        R"({"items": %})",
        R"({"type": ["object", "array"], "items": %})",
        R"({"prefixItems": [%]})",
        R"({"properties": {"x": %}})",
        R"({"patternProperties": {"^x": %}})",
        R"({"additionalProperties": %})",
        R"({"allOf": [%]})",
        R"({"type": ["null", "array"], "anyOf": [{"type": "null"}, %]})"}) {
    EXPECT_THAT(compile_error(Kind::kJsonSchema, chain(2'000, one)), HasSubstr("600 levels"))
        << one;
  }
}

TEST(JsonSchema, alternatives_are_compared_in_bounded_time) {
  std::string many = R"({"oneOf": [)";
  std::string apart = many;
  for (int i = 0; i < 3'000; ++i) {
    const auto comma = i > 0 ? "," : "";
    many += comma + std::string(R"({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]})");
    if (i >= 150) continue;
    apart += comma + (R"({"$ref": "#/$defs/)" + std::to_string(i) + R"("})");
  }
  EXPECT_FALSE(compile_error(Kind::kJsonSchema, many + "]}").empty());
  apart += R"(], "$defs": {)";
  for (int i = 0; i < 150; ++i) {
    apart += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
             R"(": {"type": "object", "required": ["k"], "properties": {"k": {"const": )" +
             std::to_string(i) + "}}}";
  }
  EXPECT_TRUE(matches(Kind::kJsonSchema, apart + "}}", R"({"k": 149})"));
}

TEST(JsonSchema, hostile_schemas_end_in_an_error_or_a_grammar_soon) {
  std::string deep = "{\"type\":\"null\"}";
  for (int i = 0; i < 60; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_NE(compiled(Kind::kJsonSchema, deep), nullptr);
  EXPECT_FALSE(compile_error(Kind::kJsonSchema, std::string(10'000, '[')).empty());
  EXPECT_THAT(compile_error(Kind::kJsonSchema, std::string(300U << 10U, ' ')), HasSubstr("longer"));

  // Every conjunct doubles the alternatives.
  std::string product = R"({"allOf": [)";
  for (int i = 0; i < 30; ++i) {
    const auto name = std::to_string(i);
    product += (i > 0 ? "," : "") + std::string(R"({"anyOf": [{"type":"object","properties":{"a)") +
               name + R"(":{"type":"null"}}}, {"type":"object","properties":{"b)" + name +
               R"(":{"type":"null"}}}]})";
  }
  EXPECT_FALSE(compile_error(Kind::kJsonSchema, product + "]}").empty());
  for (const auto* pattern :
       {"((a{1,1000}){1,1000}){1,1000}b", "(.*a.{900}){900}", "(a|aa|aaa)*b"}) {
    auto made = Grammar::compile(vocabulary(), Kind::kRegex, pattern);
    std::vector<std::uint32_t> mask(9);
    for (int i = 0; made.ok() && i < 200; ++i) {
      if (!(*made)->allow(mask).ok() || !(*made)->accept('a').ok()) break;
    }
  }
}

TEST(Regex, matches_the_whole_text) {
  EXPECT_TRUE(matches(Kind::kRegex, "(yes|no)/[0-9]{2}", "yes/42"));
  EXPECT_FALSE(matches(Kind::kRegex, "(yes|no)", "yesno"));
  EXPECT_FALSE(matches(Kind::kRegex, "[0-9]+", ""));
  EXPECT_TRUE(matches(Kind::kRegex, "[äöü]+", "öä"));
  EXPECT_FALSE(compile_error(Kind::kRegex, "(").empty());
  EXPECT_FALSE(compile_error(Kind::kRegex, "(a)\\1").empty());
}

TEST(Lark, rules_and_terminals_work) {
  constexpr const char* kSum = "start: NUMBER (\" + \" NUMBER)*\nNUMBER: /[0-9]+/\n";
  EXPECT_TRUE(matches(Kind::kLark, kSum, "1 + 22 + 3"));
  EXPECT_FALSE(matches(Kind::kLark, kSum, "1 +"));
  EXPECT_THAT(compile_error(Kind::kLark, "start: nothing\n"), HasSubstr("nothing"));
  EXPECT_FALSE(compile_error(Kind::kLark, "").empty());
}

TEST(Lark, schemas_inside_are_held_to_the_table) {
  EXPECT_TRUE(matches(Kind::kLark, R"(start: "<" %json {"type": "integer"} ">")", "<12>"));
  EXPECT_FALSE(matches(Kind::kLark, R"(start: "<" %json {"type": "integer"} ">")", "<a>"));
  EXPECT_THAT(compile_error(Kind::kLark, R"(start: %json {"not": {}})"), HasSubstr("'not'"));
  EXPECT_THAT(
      compile_error(Kind::kLark, R"(start: %json {"x-guidance": {"lenient": true}, "not": {}})"),
      HasSubstr("'not'")
  );
}

TEST(Grammar, a_form_that_allows_no_text_is_refused_before_its_first_token) {
  struct Form {
    Kind kind;
    const char* text;
  };
  for (const auto& [kind, text] : std::initializer_list<Form>{
           {Kind::kRegex, "[^\\s\\S]"},
           {Kind::kRegex, "a[^\\s\\S]"},
           {Kind::kLark, "start: x\nx: x"},
           {Kind::kLark, "start: start \"a\""},
           {Kind::kLark, R"(start: %json {"$ref": "#"})"},
       }) {
    EXPECT_THAT(compile_error(kind, text), HasSubstr("not a usable ")) << text;
  }
  EXPECT_THAT(compile_error(Kind::kLark, "start: x\nx: x"), HasSubstr("it allows no text"));
  EXPECT_TRUE(matches(Kind::kRegex, "", ""));
}

TEST(Grammar, a_form_that_leads_to_where_nothing_is_allowed_is_the_callers_fault) {
  const auto grammar = compiled(Kind::kLark, "start: \"a\" x\nx: x");
  ASSERT_TRUE(takes(*grammar, "a"));
  std::vector<std::uint32_t> mask((entries().size() + 31) / 32);
  for (int i = 0; i < 2; ++i) {
    const auto status = grammar->allow(mask);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_THAT(status.text(), HasSubstr("allows no text that begins as this one"));
  }
  EXPECT_FALSE(grammar->finished());
}

TEST(Grammar, the_first_mask_is_the_same_however_often_it_is_asked_for) {
  const auto grammar = compiled(Kind::kRegex, "a?b");
  EXPECT_FALSE(grammar->accept('x').ok());
  const auto fork = grammar->fork();
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'a', 'b'}));
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'a', 'b'}));
  ASSERT_TRUE(grammar->accept('a').ok());
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'b'}));
  EXPECT_EQ(allowed(*fork), (std::set<std::int32_t>{'a', 'b'}));
}

TEST(Grammar, special_tokens_never_match_text_but_can_be_named) {
  const auto text = compiled(Kind::kLark, R"(start: "<|call|>" "x")");
  EXPECT_FALSE(allowed(*text).contains(kCallToken));
  EXPECT_TRUE(takes(*text, "<|call|>x"));
  const auto named = compiled(Kind::kLark, R"(start: <|call|> "x")");
  EXPECT_EQ(allowed(*named), (std::set<std::int32_t>{kCallToken}));
  EXPECT_TRUE(named->accept(kCallToken).ok());
  EXPECT_TRUE(takes(*named, "x"));
}

TEST(Grammar, end_tokens_are_allowed_where_the_text_may_end_and_only_there) {
  const auto grammar = compiled(Kind::kRegex, "a+");
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'a'}));
  EXPECT_FALSE(grammar->accept(kEnd).ok());
  ASSERT_TRUE(grammar->accept('a').ok());
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'a', kEnd, kOtherEnd}));
  EXPECT_FALSE(grammar->finished());
  ASSERT_TRUE(grammar->accept(kOtherEnd).ok());
  EXPECT_TRUE(grammar->finished());
  EXPECT_FALSE(grammar->accept('a').ok());
}

TEST(Grammar, is_finished_when_nothing_may_follow) {
  const auto grammar = compiled(Kind::kRegex, "ab");
  ASSERT_TRUE(takes(*grammar, "ab"));
  EXPECT_TRUE(grammar->finished());
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{kEnd, kOtherEnd}));
}

TEST(Grammar, tokens_of_several_characters_are_allowed_as_a_whole) {
  const auto grammar = compiled(Kind::kJsonSchema, R"({"type": "boolean"})");
  EXPECT_EQ(allowed(*grammar), (std::set<std::int32_t>{'t', 'f', kTrueToken}));
  ASSERT_TRUE(grammar->accept(kTrueToken).ok());
  EXPECT_TRUE(may_end(*grammar));
}

TEST(Grammar, a_refused_token_changes_nothing) {
  const auto grammar = compiled(Kind::kRegex, "ab");
  EXPECT_EQ(grammar->accept('x').code(), Code::kInternal);
  EXPECT_FALSE(grammar->accept(-1).ok());
  EXPECT_FALSE(grammar->accept(1'000'000).ok());
  EXPECT_TRUE(takes(*grammar, "ab"));
}

TEST(Grammar, a_fork_goes_its_own_way) {
  const auto grammar = compiled(Kind::kRegex, "a(b|c)d");
  ASSERT_TRUE(takes(*grammar, "a"));
  const auto fork = grammar->fork();
  EXPECT_TRUE(takes(*grammar, "bd"));
  EXPECT_EQ(allowed(*fork), (std::set<std::int32_t>{'b', 'c'}));
  EXPECT_TRUE(takes(*fork, "cd"));
}

TEST(Grammar, a_mask_may_be_longer_than_the_vocabulary_but_not_shorter) {
  const auto grammar = compiled(Kind::kRegex, "a");
  std::vector<std::uint32_t> mask(20, ~0U);
  ASSERT_TRUE(grammar->allow(mask).ok());
  EXPECT_EQ(mask[19], 0U);
  EXPECT_FALSE(grammar->allow(std::span(mask).first(2)).ok());
}

TEST(Grammar, outlives_the_callers_hold_on_its_vocabulary) {
  const std::vector<std::int32_t> ends = {kEnd};
  auto own = *GrammarVocabulary::make(entries(), ends);
  const auto grammar = *Grammar::compile(own, Kind::kRegex, "a");
  own.reset();
  EXPECT_TRUE(takes(*grammar, "a"));
}

TEST(GrammarVocabulary, needs_an_end_token) {
  const std::vector<std::int32_t> beyond = {1'000};
  EXPECT_FALSE(GrammarVocabulary::make(entries(), {}).ok());
  EXPECT_FALSE(GrammarVocabulary::make(entries(), beyond).ok());
  EXPECT_FALSE(GrammarVocabulary::make({}, {}).ok());
}

TEST(GrammarVocabulary, odd_tokens_are_no_part_of_any_text) {
  auto tokens = entries();
  tokens.push_back({""});
  tokens.push_back({std::string(1'000, 'a')});
  tokens.push_back({"\xff\xfe"});
  tokens.push_back({"a"});
  const std::vector<std::int32_t> ends = {kEnd};
  const auto grammar =
      *Grammar::compile(*GrammarVocabulary::make(tokens, ends), Kind::kRegex, "(?s:.*)");
  std::vector<std::uint32_t> mask((tokens.size() + 31) / 32);
  ASSERT_TRUE(grammar->allow(mask).ok());
  const auto bit = [&](std::size_t token) { return mask[token / 32] >> (token % 32) & 1U; };
  EXPECT_EQ(bit(260), 0U);
  EXPECT_EQ(bit(261), 0U);
  EXPECT_EQ(bit(262), 0U);
  EXPECT_EQ(bit(263), 1U);
  EXPECT_EQ(bit('a'), 1U);
}

}  // namespace
}  // namespace cortex::text
