// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/conversation_text.h"

#include <string>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

using Knows = text::ChatTemplate::Capabilities;

constexpr Knows kAll{true, true, true, false};

Message message(Role role, std::string content) {
  Message out;
  out.role = role;
  out.content = std::move(content);
  return out;
}

Conversation asked() {
  Conversation out;
  out.messages = {message(Role::kDeveloper, "be brief"), message(Role::kUser, "say \"hi\"\n")};
  return out;
}

Tool tool(std::string name) {
  Tool out;
  out.name = std::move(name);
  out.description = "adds";
  out.parameters = R"({"type":"object"})";
  return out;
}

TEST(ConversationText, messages_become_json_in_their_order) {
  const auto input = template_input(asked(), kAll);
  EXPECT_EQ(
      input.messages,
      R"([{"role":"system","content":"be brief"},{"role":"user","content":"say \"hi\"\n"}])"
  );
  EXPECT_TRUE(input.tools.empty());
  EXPECT_TRUE(input.add_generation_prompt);
  EXPECT_GT(input.now, 0);
}

TEST(ConversationText, calls_and_their_answers_go_to_templates_that_know_them) {
  auto conversation = asked();
  auto call = message(Role::kAssistant, "");
  call.tool_calls = {{"c1", "add", R"({"a":1})"}};
  auto answer = message(Role::kTool, "2");
  answer.tool_call_id = "c1";
  conversation.messages.push_back(call);
  conversation.messages.push_back(answer);
  const auto known = template_input(conversation, kAll).messages;
  EXPECT_NE(
      known.find(
          R"("tool_calls":[{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}])"
      ),
      std::string::npos
  ) << known;
  EXPECT_NE(known.find(R"("role":"tool","content":"2","tool_call_id":"c1")"), std::string::npos);
  const auto unknown = template_input(conversation, {false, false, true, false}).messages;
  EXPECT_EQ(unknown.find("tool_calls"), std::string::npos);
  EXPECT_NE(unknown.find("<tool_call>"), std::string::npos);
  EXPECT_NE(unknown.find("<tool_response>\\n2"), std::string::npos) << unknown;
  EXPECT_EQ(unknown.find(R"("role":"tool")"), std::string::npos);
}

TEST(ConversationText, tools_are_given_or_described) {
  auto conversation = asked();
  conversation.tools = {tool("add"), tool("subtract")};
  const auto given = template_input(conversation, kAll);
  EXPECT_EQ(given.tools.substr(0, 40), R"([{"type":"function","function":{"name":")");
  EXPECT_EQ(given.messages.find("<tools>"), std::string::npos);
  const auto described = template_input(conversation, {false, false, true, false});
  EXPECT_TRUE(described.tools.empty());
  EXPECT_NE(described.messages.find("be brief\\n\\nYou may call"), std::string::npos);
  EXPECT_NE(described.messages.find("subtract"), std::string::npos);
}

TEST(ConversationText, only_tools_that_may_be_called_are_told_of) {
  auto conversation = asked();
  conversation.tools = {tool("add"), tool("subtract")};
  conversation.tool_choice = ToolChoice::kNone;
  EXPECT_TRUE(template_input(conversation, kAll).tools.empty());
  conversation.tool_choice = ToolChoice::kNamed;
  conversation.tool_name = "subtract";
  const auto named = template_input(conversation, kAll).tools;
  EXPECT_EQ(named.find("\"add\""), std::string::npos);
  EXPECT_NE(named.find("\"subtract\""), std::string::npos);
}

TEST(ConversationText, a_template_without_a_system_role_hears_it_from_the_user) {
  const auto input = template_input(asked(), {true, true, false, false});
  EXPECT_EQ(input.messages, R"([{"role":"user","content":"be brief\n\nsay \"hi\"\n"}])");
  Conversation alone;
  alone.messages = {message(Role::kSystem, "begin")};
  EXPECT_EQ(
      template_input(alone, {true, true, false, false}).messages,
      R"([{"role":"user","content":"begin"}])"
  );
}

TEST(ConversationText, an_assistant_s_last_words_are_gone_on_with) {
  auto conversation = asked();
  conversation.messages.push_back(message(Role::kAssistant, "Well,"));
  const auto input = template_input(conversation, kAll);
  EXPECT_TRUE(input.continue_last);
  EXPECT_FALSE(input.add_generation_prompt);
  conversation.continue_last = false;
  EXPECT_FALSE(template_input(conversation, kAll).continue_last);
  EXPECT_TRUE(template_input(conversation, kAll).add_generation_prompt);
}

TEST(ConversationText, calls_that_a_template_does_not_know_are_not_gone_on_with) {
  auto conversation = asked();
  auto call = message(Role::kAssistant, "");
  call.tool_calls = {{"c1", "add", "{}"}};
  conversation.messages.push_back(call);
  EXPECT_FALSE(template_input(conversation, {false, false, true, false}).continue_last);
}

}  // namespace
}  // namespace cortex::backend
