// SPDX-License-Identifier: Apache-2.0
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::text {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kGreeting = R"([{"role": "user", "content": "Hello"}])";

constexpr const char* kChatMl = R"(
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %})";

constexpr const char* kTool = R"([{"type": "function", "function": {"name": "weather",
    "description": "It's \"now\" in °C", "parameters": {"type": "object", "properties":
    {"city": {"type": "string"}}, "required": ["city"]}}}])";

constexpr const char* kCall = R"([
    {"role": "user", "content": "How warm?"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "abc123def", "type": "function",
      "function": {"name": "weather", "arguments": "{\"city\": \"Köln\", \"days\": 2}"}}]},
    {"role": "tool", "tool_call_id": "abc123def", "name": "weather", "content": "21"}])";

std::shared_ptr<const ChatTemplate> compiled(std::string_view jinja) {
  auto made = ChatTemplate::compile(jinja, "<s>", "</s>");
  EXPECT_TRUE(made.ok()) << made.status().to_string();
  return made.ok() ? *made : nullptr;
}

std::string rendered(std::string_view jinja, const TemplateInput& input = {kGreeting}) {
  const auto made = compiled(jinja);
  if (made == nullptr) return "";
  const auto text = made->render(input);
  EXPECT_TRUE(text.ok()) << text.status().to_string();
  return text.ok() ? *text : "";
}

std::string refusal(std::string_view jinja, const TemplateInput& input = {kGreeting}) {
  const auto text = compiled(jinja)->render(input);
  EXPECT_FALSE(text.ok());
  EXPECT_EQ(text.status().code(), Code::kInvalidArgument);
  return text.status().text();
}

TEST(ChatTemplate, messages_become_the_text_that_the_model_knows) {
  EXPECT_EQ(rendered(kChatMl), "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(
      rendered(kChatMl, {.messages = kGreeting, .add_generation_prompt = false}),
      "<|im_start|>user\nHello<|im_end|>\n"
  );
}

TEST(ChatTemplate, a_begun_reply_ends_the_text) {
  const auto text = [](const std::string& begun) {
    return rendered(
        kChatMl,
        {.messages = R"([{"role": "user", "content": "Sure"}, {"role": "assistant", "content": ")" +
                     begun + R"("}])",
         .continue_last = true}
    );
  };
  EXPECT_THAT(text("Sure"), EndsWith("<|im_start|>assistant\nSure"));
  EXPECT_THAT(text("Sure, "), EndsWith("<|im_start|>assistant\nSure, "));
  EXPECT_THAT(text(""), EndsWith("<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_THAT(
      refusal(kChatMl, {.messages = kGreeting, .continue_last = true}),
      HasSubstr("the last message is not an assistant's")
  );
}

TEST(ChatTemplate, blocks_are_trimmed_and_the_last_line_break_is_dropped) {
  EXPECT_EQ(
      rendered("{% if true %}\n  {% set a = 1 %}\n  x{{ a }}\n{% endif %}\nend\n"), "  x1\nend"
  );
}

TEST(ChatTemplate, special_tokens_and_further_variables_are_there) {
  EXPECT_EQ(
      rendered("{{ bos_token }}{{ tools is none }}{{ documents is none }}{{ eos_token }}"),
      "<s>TrueTrue</s>"
  );
  EXPECT_EQ(
      rendered(
          "{{ mood }}{{ messages|length }}",
          {.messages = kGreeting, .arguments = R"({"mood": "glad", "messages": 7})"}
      ),
      "glad1"
  );
}

TEST(ChatTemplate, tojson_writes_as_python_does) {
  EXPECT_EQ(
      rendered(
          "{{ x | tojson }}",
          {.messages = kGreeting,
           .arguments =
               R"({"x": {"b": [1, 2.0, 1e20, 1e-5, 0.1, true, null], "a": "é<\"\n\u0001"}})"}
      ),
      R"({"b": [1, 2.0, 1e+20, 1e-05, 0.1, true, null], "a": "é<\"\n\u0001"})"
  );
  EXPECT_EQ(
      rendered("{{ {'b': [1], 'a': []} | tojson(indent=2) }}"),
      "{\n  \"b\": [\n    1\n  ],\n  \"a\": []\n}"
  );
  EXPECT_EQ(
      rendered("{{ {'b': 1, 'a': 2} | tojson(separators=(',', ':'), sort_keys=True) }}"),
      R"({"a":2,"b":1})"
  );
  EXPECT_EQ(rendered("{{ 'é😀' | tojson(ensure_ascii=True) }}"), R"("\u00e9\ud83d\ude00")");
  EXPECT_THAT(refusal("{{ nothing | tojson }}"), HasSubstr("undefined"));
}

TEST(ChatTemplate, values_are_written_as_python_does) {
  EXPECT_EQ(
      rendered("{{ true }} {{ none }} {{ 1.0 }} {{ ['a', {'b': \"it's\"}] }}"),
      "True None 1.0 ['a', {'b': \"it's\"}]"
  );
  EXPECT_EQ(rendered("{{ true | string }}{{ nothing }}"), "True");
}

TEST(ChatTemplate, pythons_methods_work) {
  EXPECT_EQ(rendered("{{ ' aXb '.strip().split('X')[-1] }}{{ 'ab'.startswith('a') }}"), "bTrue");
  EXPECT_EQ(rendered("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}"), "a1");
  EXPECT_EQ(
      rendered("{{ messages[0].get('name', 'none') }}{{ 'a-b'.removeprefix('a-') }}"), "noneb"
  );
  EXPECT_EQ(rendered("{{ messages[::-1][0]['content'][1:3] }}{{ 'x'.upper() }}"), "elX");
}

TEST(ChatTemplate, namespaces_macros_and_loop_controls_work) {
  EXPECT_EQ(
      rendered("{% set ns = namespace(n=0) %}{% for i in range(9) %}{% if i == 2 %}"
               "{% continue %}{% endif %}{% if i > 4 %}{% break %}{% endif %}"
               "{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"),
      "8"
  );
  EXPECT_EQ(
      rendered("{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}"), "1213"
  );
  EXPECT_EQ(
      rendered("{% for m in messages %}{{ loop.previtem is defined }}{{ loop.last }}{% endfor %}"),
      "FalseTrue"
  );
}

TEST(ChatTemplate, marks_of_generation_are_nothing) {
  EXPECT_EQ(rendered("a {%- generation -%} b {% endgeneration %}\nc"), "ab c");
}

TEST(ChatTemplate, the_time_is_the_callers) {
  EXPECT_EQ(
      rendered(
          "{{ strftime_now('%d %b %Y, %H:%M') }}", {.messages = kGreeting, .now = 1'763'755'260}
      ),
      "21 Nov 2025, 20:01"
  );
}

TEST(ChatTemplate, what_the_template_raises_is_told) {
  EXPECT_EQ(
      refusal("{{ raise_exception('roles must alternate') }}"),
      "The model's chat template refuses the conversation: roles must alternate"
  );
  EXPECT_THAT(
      refusal("{% macro m() %}{{ raise_exception('deep') }}{% endmacro %}{{ m() }}"),
      EndsWith(": deep")
  );
}

TEST(ChatTemplate, a_template_that_cannot_be_read_is_refused_with_its_line) {
  const auto made = ChatTemplate::compile("a\n{% if %}", "", "");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(made.status().text(), HasSubstr("line 2"));
  EXPECT_FALSE(ChatTemplate::compile("\xff", "", "").ok());
  EXPECT_FALSE(ChatTemplate::compile(std::string(2U << 20U, 'x'), "", "").ok());
}

TEST(ChatTemplate, wrong_input_is_refused) {
  EXPECT_THAT(refusal("", {.messages = "[{"}), HasSubstr("the messages"));
  EXPECT_THAT(refusal("", {.messages = "{}"}), HasSubstr("no JSON array"));
  EXPECT_THAT(refusal("", {.messages = "[]", .tools = "]"}), HasSubstr("the tools"));
  EXPECT_THAT(refusal("", {.messages = "[]", .arguments = "[]"}), HasSubstr("arguments"));
  EXPECT_THAT(refusal("", {.messages = std::string(200, '[')}), HasSubstr("recursion"));
  EXPECT_THAT(refusal("", {.messages = "[\"\xff\"]"}), HasSubstr("UTF-8"));
}

TEST(ChatTemplate, rendering_is_bounded) {
  EXPECT_THAT(
      refusal("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
      HasSubstr("fuel")
  );
  EXPECT_THAT(refusal("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), HasSubstr("recursion"));
  EXPECT_THAT(
      refusal("{% set a = 'x' * 1000000 %}{% for i in range(99) %}{{ a }}{% endfor %}"),
      HasSubstr("longer than")
  );
}

TEST(ChatTemplate, templates_cannot_reach_files) {
  EXPECT_FALSE(compiled("{% include '/etc/passwd' %}")->render({kGreeting}).ok());
}

TEST(ChatTemplate, arguments_of_calls_are_objects_where_the_template_takes_objects) {
  EXPECT_THAT(
      rendered(
          "{% for m in messages %}{{ m.content }}{% for t in m.tool_calls %}"
          "<tool_call>{{ t.function.name }} {{ t.function.arguments | tojson }}</tool_call>"
          "{% endfor %}{% endfor %}",
          {.messages = kCall}
      ),
      HasSubstr(R"(<tool_call>weather {"city": "Köln", "days": 2}</tool_call>)")
  );
}

TEST(ChatTemplate, arguments_of_calls_are_text_where_the_template_joins_texts) {
  EXPECT_THAT(
      rendered(
          "{% for m in messages %}{{ m.content }}{% for t in m.tool_calls %}"
          "{{ t.function.name + ' ' + t.function.arguments }}|{% endfor %}{% endfor %}",
          {.messages = kCall}
      ),
      HasSubstr(R"(weather {"city": "Köln", "days": 2}|)")
  );
}

TEST(ChatTemplate, a_message_of_calls_has_no_content_where_the_template_asks_for_none) {
  EXPECT_THAT(
      rendered(
          "{% for m in messages %}{% if m.content is none %}{% for t in m.tool_calls %}"
          "{{ t.function.name }}{{ t.function.arguments | tojson }}{% endfor %}"
          "{% else %}{{ m.content }}|{% endif %}{% endfor %}",
          {.messages = kCall}
      ),
      StartsWith("How warm?|weather{")
  );
}

TEST(ChatTemplate, content_is_parts_where_the_template_asks_for_parts) {
  EXPECT_EQ(
      rendered("{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}"
               "{{ p.text }}{% endif %}{% endfor %}{% endfor %}"),
      "Hello"
  );
}

struct Family {
  const char* name;
  const char* jinja;
  bool tools, tool_calls, system_role, thinking;
};

// Short templates that ask as the families' own ones do.
const Family kFamilies[] = {
    {"chatml", kChatMl, false, false, true, false},
    {"alternating",
     "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}"
     "{% endif %}{% for m in messages %}<start_of_turn>{{ m['content'] | trim }}{% endfor %}",
     false,
     false,
     false,
     false},
    {"reasoning",
     "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|a|>"
     "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}{% "
     "endif %}",
     false,
     false,
     true,
     true},
    {"hermes",
     "{%- if tools %}<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools>{% endif %}"
     "{% for m in messages %}{% if m.tool_calls %}{% for t in m.tool_calls %}"
     "{% set f = t.function if t.function is defined else t %}<tool_call>{\"name\": \"{{ f.name "
     "}}\", "
     "\"arguments\": {{ f.arguments if f.arguments is string else f.arguments | tojson "
     "}}}</tool_call>"
     "{% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
     true,
     true,
     true,
     false},
    {"strict ids",
     "{% if tools is not none %}[AVAILABLE_TOOLS]{{ tools | tojson }}{% endif %}"
     "{% for m in messages %}{% if m.tool_calls is defined %}[TOOL_CALLS]["
     "{% for t in m.tool_calls %}{% if t.id | length != 9 %}{{ raise_exception('id') }}{% endif %}"
     "{{ t.function | tojson }}{% endfor %}]{% elif m.role == 'tool' %}{{ m.tool_call_id }}"
     "{% else %}{{ m.content }}{% endif %}{% endfor %}",
     true,
     true,
     true,
     false},
};

class Families : public ::testing::TestWithParam<Family> {};

TEST_P(Families, are_asked_what_they_can_do) {
  const auto& family = GetParam();
  const auto found = compiled(family.jinja)->capabilities();
  EXPECT_EQ(found.tools, family.tools);
  EXPECT_EQ(found.tool_calls, family.tool_calls);
  EXPECT_EQ(found.system_role, family.system_role);
  EXPECT_EQ(found.thinking, family.thinking);
}

INSTANTIATE_TEST_SUITE_P(ChatTemplate, Families, ::testing::ValuesIn(kFamilies));

TEST(ChatTemplate, tools_are_written_as_they_came) {
  EXPECT_EQ(
      rendered(
          "{% for t in tools %}{{ t | tojson }}{% endfor %}",
          {.messages = kGreeting, .tools = kTool}
      ),
      R"({"type": "function", "function": {"name": "weather", "description": "It's \"now\" in °C", )"
      R"("parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}})"
  );
}

}  // namespace
}  // namespace cortex::text
