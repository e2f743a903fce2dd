// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/responses_request.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::responses {
namespace {

using testing::body_of;

Result<ResponsesCall> read(std::string_view json) {
  const auto body = body_of(json);
  return read_responses(body->text());
}

// A body with the fields given, which begin with a comma.
Result<ResponsesCall> read_with(std::string_view fields) {
  return read(R"({"model":"m","input":"hi")" + std::string(fields) + "}");
}

Result<ResponsesCall> read_items(std::string_view list) {
  return read(R"({"model":"m","input":)" + std::string(list) + "}");
}

std::vector<Message> messages_of(std::string_view list) {
  const auto call = read_items(list);
  EXPECT_TRUE(call.ok()) << list << ": " << call.status().text();
  std::vector<Message> out;
  if (call.ok()) append_messages(call->input, out);
  return out;
}

TEST(ResponsesRequest, a_text_is_the_user_s_message) {
  const auto call = read_with("");
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->model, "m");
  EXPECT_TRUE(call->store);
  EXPECT_FALSE(call->stream);
  std::vector<Message> messages;
  append_messages(call->input, messages);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].role, Role::kUser);
  EXPECT_EQ(messages[0].content, "hi");
}

TEST(ResponsesRequest, reads_how_far_it_steps_back) {
  EXPECT_EQ(read_with("")->niceness, 0);
  EXPECT_EQ(read_with(R"(,"priority":2)")->niceness, 2);
  EXPECT_EQ(read_with(R"(,"priority":"2")").status().field(), "priority");
}

TEST(ResponsesRequest, reads_every_field) {
  const auto call = read_with(
      R"(,"instructions":"be brief","max_output_tokens":9,"temperature":0.5,"top_p":0.25,"stream":true,)"
      R"("store":false,"previous_response_id":"resp_1","metadata":{"a":"b"},"seed":7,"top_k":3,)"
      R"("text":{"format":{"type":"json_schema","name":"s","schema":{ "type" : "a b" }},"verbosity":"medium"},"max_tool_calls":3,)"
      R"("reasoning":{"effort":"low","summary":"auto"},"parallel_tool_calls":false,"background":false,)"
      R"("include":["message.output_text.logprobs","reasoning.encrypted_content"],"top_logprobs":2,)"
      R"("truncation":"disabled","user":"u","service_tier":"auto","prompt_cache_key":"k","n":1,)"
      R"("stream_options":{"include_obfuscation":true},"conversation":null,"prompt":null)"
  );
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_TRUE(call->stream);
  EXPECT_FALSE(call->store);
  EXPECT_EQ(call->previous, "resp_1");
  EXPECT_EQ(call->generation.tokens_max, 9U);
  EXPECT_EQ(call->generation.sampling.temperature, 0.5F);
  EXPECT_EQ(call->generation.sampling.seed, 7U);
  EXPECT_EQ(call->generation.sampling.top_k, 3);
  EXPECT_EQ(call->generation.top_logprobs, 2U);
  EXPECT_EQ(call->generation.format.kind, OutputFormat::Kind::kJsonSchema);
  EXPECT_EQ(call->generation.format.text, R"({ "type" : "a b" })");
  EXPECT_FALSE(call->conversation.parallel_tool_calls);
  EXPECT_EQ(call->conversation.template_arguments, R"({"reasoning_effort":"low"})");
  EXPECT_EQ(call->echo.instructions, "be brief");
  EXPECT_EQ(call->echo.metadata, R"({"a":"b"})");
  EXPECT_EQ(call->echo.tool_calls_max, 3U);
  EXPECT_EQ(
      call->echo.format,
      R"({"type":"json_schema","name":"s","strict":true,"schema":{"type":"a b"}})"
  );
}

TEST(ResponsesRequest, the_items_of_a_turn_become_one_message) {
  const auto messages = messages_of(R"([
    {"role":"developer","content":"d"},
    {"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
    {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"encrypted_content":null},
    {"type":"message","role":"assistant","id":"msg_1","status":"completed",
     "content":[{"type":"output_text","text":"I ask","annotations":[]}]},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{}","id":"fc_1"},
    {"type":"function_call","call_id":"c2","name":"g","arguments":"{\"x\":1}"},
    {"type":"function_call_output","call_id":"c1","output":"1"},
    {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"}]},
    {"type":"message","role":"assistant","content":"so"},
    {"type":"message","role":"assistant","content":"and"}])");
  ASSERT_EQ(messages.size(), 7U);
  EXPECT_EQ(messages[0].role, Role::kDeveloper);
  EXPECT_EQ(messages[1].content, "ab");
  EXPECT_EQ(messages[2].role, Role::kAssistant);
  EXPECT_EQ(messages[2].reasoning, "hm");
  EXPECT_EQ(messages[2].content, "I ask");
  ASSERT_EQ(messages[2].tool_calls.size(), 2U);
  EXPECT_EQ(messages[2].tool_calls[1].arguments, R"({"x":1})");
  EXPECT_EQ(messages[3].role, Role::kTool);
  EXPECT_EQ(messages[3].tool_call_id, "c1");
  EXPECT_EQ(messages[4].content, "2");
  EXPECT_EQ(messages[5].content, "so");
  EXPECT_EQ(messages[6].content, "and");
}

TEST(ResponsesRequest, functions_lie_flat) {
  const auto call = read_with(
      R"(,"tools":[{"type":"function","name":"f","description":"d","strict":true,"parameters":{
        "type": "object"}},{"type":"function","name":"g","parameters":null}],)"
      R"("tool_choice":{"type":"function","name":"g"})"
  );
  ASSERT_TRUE(call.ok()) << call.status().text();
  ASSERT_EQ(call->conversation.tools.size(), 2U);
  EXPECT_EQ(call->conversation.tools[0].name, "f");
  EXPECT_TRUE(call->conversation.tools[0].strict);
  EXPECT_EQ(call->conversation.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(
      call->echo.tools,
      R"([{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},)"
      R"({"type":"function","name":"g","description":null,"parameters":null,"strict":false}])"
  );
  EXPECT_EQ(call->echo.tool_choice, R"({"type":"function","name":"g"})");
}

TEST(ResponsesRequest, what_is_not_served_is_named) {
  const std::pair<std::string_view, std::string_view> kWrong[] = {
      {R"(,"background":true)", "background"},
      {R"(,"conversation":"conv_1")", "conversation"},
      {R"(,"prompt":{"id":"p"})", "prompt"},
      {R"(,"truncation":"auto")", "truncation"},
      {R"(,"tools":[{"type":"web_search"}])", "tools[0].type"},
      {R"(,"tools":[{"name":"f"}])", "tools[0].type"},
      {R"(,"tools":[{"type":"function","name":"a b"}])", "tools[0].name"},
      {R"(,"tool_choice":"required")", "tool_choice"},
      {R"(,"tool_choice":{"type":"file_search"})", "tool_choice.type"},
      {R"(,"include":["file_search_call.results"])", "include"},
      {R"(,"top_logprobs":3)", "top_logprobs"},
      {R"(,"n":2)", "n"},
      {R"(,"max_tokens":2)", "max_tokens"},
      {R"(,"max_output_tokens":0)", "max_output_tokens"},
      {R"(,"messages":[])", "messages"},
      {R"(,"metadata":{"a":1})", "metadata"},
      {R"(,"previous_response_id":"")", "previous_response_id"},
      {R"(,"text":{"verbosity":"low"})", "text.verbosity"},
      {R"(,"reasoning":{"summary":"detailed"})", "reasoning.summary"},
      {R"(,"reasoning":{"generate_summary":"concise"})", "reasoning.generate_summary"},
      {R"(,"max_tool_calls":0)", "max_tool_calls"},
      {R"(,"service_tier":"priority")", "service_tier"},
      {R"(,"text":{"format":{"type":"xml"}})", "text.format.type"},
      {R"(,"text":{"format":{"type":"json_schema"}})", "text.format.schema"},
      {R"(,"text":{"format":{"type":"json_object"}},"guided_regex":"a")", "text.format"},
      {R"(,"temperature":3)", "temperature"},
      {R"(,"store":1)", "store"},
      {R"(,"store":true,"store":true)", "store"},
      {R"(,"nonsense":1)", "nonsense"},
  };
  for (const auto& [fields, name] : kWrong) {
    const Status status = read_with(fields).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << fields;
    EXPECT_EQ(status.field(), name) << fields << ": " << status.text();
  }
  EXPECT_EQ(read(R"({"input":"a"})").status().field(), "model");
  EXPECT_EQ(read(R"({"model":"m"})").status().field(), "input");
}

TEST(ResponsesRequest, a_wrong_item_is_named_by_its_place) {
  const std::pair<std::string_view, std::string_view> kWrong[] = {
      {"[]", "input"},
      {"7", "input"},
      {"[1]", "input[0]"},
      {"[{}]", "input[0].type"},
      {R"([{"type":"item_reference","id":"x"}])", "input[0]"},
      {R"([{"type":"web_search_call"}])", "input[0]"},
      {R"([{"role":"user"}])", "input[0].content"},
      {R"([{"role":"tool","content":"a"}])", "input[0].role"},
      {R"([{"role":"user","content":"a"},{"role":"user","content":[{"type":"input_image"}]}])",
       "input[1].content[0]"},
      {R"([{"role":"user","content":[{"type":"input_text"}]}])", "input[0].content[0].text"},
      {R"([{"type":"function_call","name":"f","arguments":"{}"}])", "input[0].call_id"},
      {R"([{"type":"function_call_output","call_id":"c"}])", "input[0].output"},
  };
  for (const auto& [list, name] : kWrong) {
    const Status status = read_items(list).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << list;
    EXPECT_EQ(status.field(), name) << list << ": " << status.text();
  }
}

TEST(ResponseItem, what_is_written_reads_back_the_same) {
  const auto call =
      read_items(R"([{"role":"user","content":[{"type":"input_text","text":"a\n\"b\""},
    {"type":"input_text","text":""}]},{"type":"reasoning","content":[{"type":"reasoning_text","text":"h"}]},
    {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
    {"type":"function_call_output","call_id":"c","output":"o"}])");
  ASSERT_TRUE(call.ok()) << call.status().text();
  std::string once;
  append_items(once, call->input);
  std::vector<Item> again;
  ASSERT_TRUE(read_kept_items(once, again).ok());
  std::string twice;
  append_items(twice, again);
  EXPECT_EQ(once, twice);
  EXPECT_EQ(again.at(0).parts, (std::vector<std::string>{"a\n\"b\"", ""}));
  EXPECT_EQ(read_kept_items("{", again).code(), Code::kInternal);
}

}  // namespace
}  // namespace cortex::frontend::responses
