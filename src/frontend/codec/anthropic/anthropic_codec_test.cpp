// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/anthropic/anthropic_codec.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/anthropic/messages_request.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::anthropic {
namespace {

using testing::body_of;
using testing::call;
using testing::FakeExchange;

// A body of one message with the fields given, which begin with a comma.
std::string body_with(std::string_view fields) {
  return R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}])" +
         std::string(fields) + "}";
}

std::string body_of_messages(std::string_view list) {
  return R"({"model":"m","max_tokens":9,"messages":)" + std::string(list) + "}";
}

MessagesCall read(std::string_view json) {
  auto call = read_messages(body_of(json)->text());
  EXPECT_TRUE(call.ok()) << json << ": " << call.status().text();
  return call.ok() ? std::move(*call) : MessagesCall();
}

Conversation conversation(std::string_view json) {
  return std::get<Conversation>(read(json).input.prompt);
}

Status fault(std::string_view json) {
  const Status status = read_messages(body_of(json)->text()).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << json;
  return status;
}

std::string wrong_field(std::string_view fields) { return fault(body_with(fields)).field(); }

TEST(MessagesRequest, reads_every_field) {
  const MessagesCall asked = read(body_with(
      R"(,"system":"be brief","stream":true,"stop_sequences":["\n"],"temperature":0.5,"top_p":0.25,)"
      R"("top_k":7,"metadata":{"user_id":"u"},"service_tier":"auto",)"
      R"("output_config":{"format":{"type":"json_schema","schema":{"a": 1}},"effort":"low"},)"
      R"("thinking":{"type":"enabled","budget_tokens":1024})"
  ));
  EXPECT_EQ(asked.model, "m");
  EXPECT_TRUE(asked.stream);
  EXPECT_EQ(asked.input.tokens_max, 9U);
  EXPECT_EQ(asked.input.stop, (std::vector<std::string>{"\n"}));
  EXPECT_EQ(asked.input.sampling.temperature, 0.5F);
  EXPECT_EQ(asked.input.sampling.top_p, 0.25F);
  EXPECT_EQ(asked.input.sampling.top_k, 7);
  EXPECT_EQ(asked.input.format.kind, OutputFormat::Kind::kJsonSchema);
  EXPECT_EQ(asked.input.format.text, R"({"a": 1})");
  const auto& said = std::get<Conversation>(asked.input.prompt);
  EXPECT_EQ(said.template_arguments, R"({"enable_thinking":true})");
  ASSERT_EQ(said.messages.size(), 2U);
  EXPECT_EQ(said.messages[0].role, Role::kSystem);
  EXPECT_EQ(said.messages[0].content, "be brief");
  EXPECT_EQ(said.messages[1].content, "hi");
}

TEST(MessagesRequest, blocks_become_messages) {
  const Conversation said = conversation(body_of_messages(
      R"([{"content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}],"role":"user"},)"
      R"({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"c"},)"
      R"({"type":"tool_use","id":"t1","name":"f","input":{"x": 1}}]},)"
      R"({"role":"user","content":[{"type":"text","text":"and?"},{"type":"tool_result","tool_use_id":"t1",)"
      R"("content":[{"type":"text","text":"4"},{"type":"text","text":"2"}]}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"no","is_error":true}]}])"
  ));
  ASSERT_EQ(said.messages.size(), 5U);
  EXPECT_EQ(said.messages[0].content, "ab");
  EXPECT_EQ(said.messages[1].reasoning, "hm");
  EXPECT_EQ(said.messages[1].content, "c");
  ASSERT_EQ(said.messages[1].tool_calls.size(), 1U);
  EXPECT_EQ(said.messages[1].tool_calls[0].arguments, R"({"x": 1})");
  EXPECT_EQ(said.messages[2].role, Role::kTool);
  EXPECT_EQ(said.messages[2].tool_call_id, "t1");
  EXPECT_EQ(said.messages[2].content, "42");
  EXPECT_EQ(said.messages[3].content, "and?");
  EXPECT_EQ(said.messages[4].role, Role::kTool);
}

TEST(MessagesRequest, reads_tools_and_the_choice_among_them) {
  const Conversation said = conversation(body_with(
      R"(,"tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true},{"name":"g","type":"custom"}],)"
      R"("tool_choice":{"type":"tool","name":"g","disable_parallel_tool_use":true})"
  ));
  ASSERT_EQ(said.tools.size(), 2U);
  EXPECT_EQ(said.tools[0].parameters, R"({"type":"object"})");
  EXPECT_TRUE(said.tools[0].strict);
  EXPECT_EQ(said.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(said.tool_name, "g");
  EXPECT_FALSE(said.parallel_tool_calls);
  const auto choice = [](std::string_view word) {
    return conversation(body_with(
                            R"(,"tools":[{"name":"f"}],"tool_choice":{"type":")" +
                            std::string(word) + R"("})"
                        ))
        .tool_choice;
  };
  EXPECT_EQ(choice("auto"), ToolChoice::kAuto);
  EXPECT_EQ(choice("any"), ToolChoice::kRequired);
  EXPECT_EQ(choice("none"), ToolChoice::kNone);
}

TEST(MessagesRequest, takes_the_tiers_that_mean_what_is_done_anyway) {
  for (const char* tier : {"auto", "standard_only"}) {
    const auto body =
        testing::body_of(body_with(",\"service_tier\":\"" + std::string(tier) + "\""));
    EXPECT_TRUE(read_messages(body->text()).ok()) << tier;
  }
}

TEST(MessagesRequest, refuses_by_name) {
  const std::pair<std::string, std::string> wrong[] = {
      {R"(,"temperature":1.5)", "temperature"},
      {R"(,"top_p":-1)", "top_p"},
      {R"(,"top_k":-1)", "top_k"},
      {R"(,"max_tokens":1)", "max_tokens"},
      {R"(,"stop_sequences":"a")", "stop_sequences"},
      {R"(,"stop_sequences":[""])", "stop_sequences"},
      {R"(,"system":[{"type":"image"}])", "system[0]"},
      {R"(,"thinking":{"type":"much"})", "thinking.type"},
      {R"(,"tools":[{"type":"web_search_20250305","name":"w"}])", "tools[0].type"},
      {R"(,"tools":[{"name":"a b"}])", "tools[0].name"},
      {R"(,"tools":[{"name":"f"},{"name":"f"}])", "tools[1].name"},
      {R"(,"tool_choice":{"type":"any"})", "tool_choice"},
      {R"(,"tool_choice":{"type":"some"})", "tool_choice.type"},
      {R"(,"tools":[{"name":"f"}],"tool_choice":{"type":"tool","name":"g"})", "tool_choice.name"},
      {R"(,"output_config":{"format":{"type":"json_schema"}})", "output_config.format.schema"},
      {R"(,"output_config":{"x":1})", "output_config.x"},
      {R"(,"service_tier":"priority")", "service_tier"},
      {R"(,"service_tier":1)", "service_tier"},
      {R"(,"mcp_servers":[])", "mcp_servers"},
  };
  for (const auto& [fields, field] : wrong) EXPECT_EQ(wrong_field(fields), field) << fields;
}

TEST(MessagesRequest, refuses_messages_that_are_none_with_their_place) {
  const std::pair<std::string, std::string> wrong[] = {
      {"[]", "messages"},
      {"{}", "messages"},
      {R"([{"content":"a"}])", "messages[0].role"},
      {R"([{"role":"system","content":"a"}])", "messages[0].role"},
      {R"([{"role":"user"}])", "messages[0].content"},
      {R"([{"role":"user","content":[]}])", "messages[0].content"},
      {R"([{"role":"user","content":7}])", "messages[0].content"},
      {R"([{"role":"user","content":[{"type":"image","source":{}}]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":[{"type":"tool_use","name":"f"}]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":[{"text":"f"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":[]}]}])",
       "messages[0].content[0].input"},
  };
  for (const auto& [list, field] : wrong) {
    EXPECT_EQ(fault(body_of_messages(list)).field(), field) << list;
  }
  EXPECT_EQ(fault("{}").field(), "model");
  EXPECT_EQ(fault(R"({"model":"m"})").field(), "max_tokens");
  EXPECT_EQ(fault(R"({"model":"m","max_tokens":1})").field(), "messages");
  for (const auto* const none : {"", "[]", "{", R"({"model":"m"}})"}) {
    EXPECT_NE(fault(none).text(), "") << none;
  }
}

TEST(MessagesRequest, every_block_has_the_fields_of_its_type) {
  const std::pair<std::string, std::string> wrong[] = {
      {R"({"type":"text"})", "text"},
      {R"({"type":"text","text":null})", "text"},
      {R"({"type":"text","thinking":"abc"})", "text"},
      {R"({"type":"thinking","signature":""})", "thinking"},
      {R"({"type":"thinking","text":"abc","signature":""})", "thinking"},
      {R"({"type":"thinking","thinking":"abc"})", "signature"},
      {R"({"type":"redacted_thinking"})", "data"},
      {R"({"type":"tool_use","name":"f","input":{}})", "id"},
      {R"({"type":"tool_use","tool_use_id":"t","name":"f","input":{}})", "id"},
      {R"({"type":"tool_use","id":"","name":"f","input":{}})", "id"},
      {R"({"type":"tool_use","id":"t","input":{}})", "name"},
      {R"({"type":"tool_use","id":"t","name":"f"})", "input"},
  };
  const auto place = [](const std::string& role, const std::string& block) {
    const std::string list = R"([{"role":")" + role + R"(","content":[)" + block + "]}]";
    return fault(body_of_messages(list)).field();
  };
  for (const auto& [block, field] : wrong) {
    EXPECT_EQ(place("assistant", block), "messages[0].content[0]." + field) << block;
  }
  EXPECT_EQ(
      place("user", R"({"type":"tool_result","id":"t"})"), "messages[0].content[0].tool_use_id"
  );
  EXPECT_EQ(
      place("user", R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"text"}]})"),
      "messages[0].content[0].content[0].text"
  );
  EXPECT_EQ(wrong_field(R"(,"system":[{"type":"text"}])"), "system[0].text");
  const Conversation empty =
      conversation(body_of_messages(R"([{"role":"user","content":[{"type":"text","text":""}]}])"));
  EXPECT_EQ(empty.messages.at(0).content, "") << "it is given";
}

// A codec over a model that says what the test wants: 7 tokens read, 4 of them cached, 5 written.
struct Played {
  std::vector<GenerationOutput> parts;
  Status end;
  int drawn = 0;
  AnthropicCodec codec{submit(), {[this] { return "r" + std::to_string(++drawn); }}};
  Api api = codec.make_api();

  Submit submit() {
    return [this](
               const std::shared_ptr<const Request>&, const std::shared_ptr<ResponseStream>& stream
           ) {
      for (const GenerationOutput& part : parts) {
        if (!stream->write(GenerationOutput(part))) break;
      }
      Timings timings;
      timings.input_tokens = 7;
      timings.cached_tokens = 4;
      timings.output_tokens = 5;
      stream->finish(end, timings);
    };
  }

  std::shared_ptr<FakeExchange> ask(std::string_view fields) {
    HttpRequest http;
    http.id = "sent";
    http.body = body_of(body_with(fields));
    return call(api, Method::kPost, "/v1/messages", std::move(http));
  }
};

std::vector<GenerationOutput> everything() {
  GenerationOutput thought;
  thought.reasoning = "hm";
  GenerationOutput said;
  said.text = "a";
  GenerationOutput more;
  more.text = "b";
  GenerationOutput called;
  called.tool_calls = {{0, "t1", "f", R"({"x":)"}};
  GenerationOutput last;
  last.tool_calls = {{0, "", "", "1}"}};
  last.finish = FinishReason::kToolCalls;
  return {thought, said, more, called, last};
}

TEST(Messages, answers_whole) {
  Played model;
  model.parts = everything();
  EXPECT_EQ(
      model.ask("")->bytes(),
      R"({"id":"msg_r1","type":"message","role":"assistant","model":"m","content":[)"
      R"({"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"ab"},)"
      R"({"type":"tool_use","id":"t1","name":"f","input":{"x":1}}],)"
      R"("stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,)"
      R"("cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":5}})"
  );
}

TEST(Messages, two_of_one_request_id_have_ids_of_their_own) {
  Played model;
  model.parts = everything();
  EXPECT_NE(model.ask("")->bytes().find(R"("id":"msg_r1")"), std::string::npos);
  EXPECT_NE(model.ask("")->bytes().find(R"("id":"msg_r2")"), std::string::npos);
}

std::string event(std::string_view type, std::string_view rest = "") {
  return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"" +
         std::string(rest) + "}\n\n";
}

TEST(Messages, streams_block_by_block) {
  Played model;
  model.parts = everything();
  model.parts.front().input_tokens = 7;  // 4 of them from the cache, as the end says
  const std::string usage = R"("cache_creation_input_tokens":0,"cache_read_input_tokens":)";
  EXPECT_EQ(
      model.ask(R"(,"stream":true)")->streamed(),
      event(
          "message_start",
          R"(,"message":{"id":"msg_r1","type":"message","role":"assistant","model":"m","content":[],)"
          R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,)" +
              usage + R"(0,"output_tokens":0}})"
      ) +
          event(
              "content_block_start",
              R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})"
          ) +
          event(
              "content_block_delta",
              R"(,"index":0,"delta":{"type":"thinking_delta","thinking":"hm"})"
          ) +
          event("content_block_stop", R"(,"index":0)") +
          event("content_block_start", R"(,"index":1,"content_block":{"type":"text","text":""})") +
          event("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"a"})") +
          event("content_block_delta", R"(,"index":1,"delta":{"type":"text_delta","text":"b"})") +
          event("content_block_stop", R"(,"index":1)") +
          event(
              "content_block_start",
              R"(,"index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}})"
          ) +
          event(
              "content_block_delta",
              R"(,"index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"})"
          ) +
          event(
              "content_block_delta",
              R"(,"index":2,"delta":{"type":"input_json_delta","partial_json":"1}"})"
          ) +
          event("content_block_stop", R"(,"index":2)") +
          event(
              "message_delta",
              R"(,"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":3,)" +
                  usage + R"(4,"output_tokens":5})"
          ) +
          event("message_stop")
  );
}

TEST(Messages, says_why_it_ended) {
  Played model;
  const auto reason = [&](FinishReason finish, std::string stop) {
    GenerationOutput end;
    end.finish = finish;
    end.stop = std::move(stop);
    model.parts = {end};
    const std::string whole = model.ask("")->bytes();
    return whole.substr(
        whole.find("\"stop_reason\""), whole.find(",\"usage\"") - whole.find("\"stop_reason\"")
    );
  };
  EXPECT_EQ(reason(FinishReason::kStop, ""), R"("stop_reason":"end_turn","stop_sequence":null)");
  EXPECT_EQ(
      reason(FinishReason::kLength, ""), R"("stop_reason":"max_tokens","stop_sequence":null)"
  );
  EXPECT_EQ(
      reason(FinishReason::kStop, "\n"), R"("stop_reason":"stop_sequence","stop_sequence":"\n")"
  );
}

TEST(Messages, arguments_that_are_no_json_are_given_as_text) {
  Played model;
  GenerationOutput out;
  out.tool_calls = {{0, "t", "f", "{broken"}};
  out.finish = FinishReason::kToolCalls;
  model.parts = {out};
  EXPECT_NE(model.ask("")->bytes().find(R"("input":{"arguments":"{broken"})"), std::string::npos);
}

TEST(Messages, a_call_that_was_cut_has_no_input_that_nobody_wrote) {
  Played model;
  const auto blocks = [&](FinishReason finish, std::string stop, std::string arguments) {
    GenerationOutput out;
    out.tool_calls = {{0, "t", "f", "{broken"}, {1, "u", "g", std::move(arguments)}};
    out.finish = finish;
    out.stop = std::move(stop);
    model.parts = {out};
    const std::string whole = model.ask("")->bytes();
    const std::size_t begin = whole.find("\"content\":");
    return whole.substr(begin, whole.find(",\"usage\"") - begin);
  };
  const std::string first =
      R"("content":[{"type":"tool_use","id":"t","name":"f","input":{"arguments":"{broken"}},)"
      R"({"type":"tool_use","id":"u","name":"g","input":)";
  EXPECT_EQ(
      blocks(FinishReason::kLength, "", R"({"city": ")"),
      first + R"({}}],"stop_reason":"max_tokens","stop_sequence":null)"
  );
  EXPECT_EQ(
      blocks(FinishReason::kStop, "Os", R"({"city": ")"),
      first + R"({}}],"stop_reason":"stop_sequence","stop_sequence":"Os")"
  );
  EXPECT_EQ(
      blocks(FinishReason::kLength, "", R"({"city": "Oslo"})"),
      first + R"({"city": "Oslo"}}],"stop_reason":"max_tokens","stop_sequence":null)"
  ) << "its end is there";
}

TEST(Messages, errors_are_anthropics) {
  Played model;
  EXPECT_EQ(model.api.request_id_header, "request-id");
  model.end = unavailable("draining");
  EXPECT_EQ(model.ask("")->failure().code(), Code::kUnavailable);
  EXPECT_EQ(
      model.api.error_body(503, model.end, ""),
      R"({"type":"error","error":{"type":"overloaded_error","message":"draining"}})"
  );
  EXPECT_NE(
      model.api.error_body(404, not_found("x"), "").find("not_found_error"), std::string::npos
  );
  EXPECT_NE(
      model.api.error_body(400, invalid_argument("x"), "").find("invalid_request_error"),
      std::string::npos
  );
  EXPECT_EQ(
      model.api.error_body(413, invalid_argument("x"), ""),
      R"({"type":"error","error":{"type":"request_too_large","message":"x"}})"
  );
  EXPECT_NE(model.api.error_body(500, internal("x"), "").find("api_error"), std::string::npos);
  GenerationOutput said;
  said.text = "a";
  model.parts = {said};
  EXPECT_TRUE(
      model.ask(R"(,"stream":true)")
          ->streamed()
          .ends_with("event: error\ndata: "
                     R"({"type":"error","error":{"type":"overloaded_error","message":"draining"}})"
                     "\n\n")
  );
  model.parts = {};
  model.end = {};
  EXPECT_EQ(model.ask("")->failure().code(), Code::kInternal) << "no end";
}

TEST(AnthropicCodec, counts_the_tokens_of_a_conversation) {
  std::shared_ptr<const Request> asked;
  ResponsePart answer = TokenizeOutput{{1, 2, 3}, {}, 64};
  AnthropicCodec codec([&](std::shared_ptr<const Request> request,
                           const std::shared_ptr<ResponseStream>& stream) {
    asked = std::move(request);
    stream->finish(ResponsePart(answer), Timings());
  });
  const Api api = codec.make_api();
  const auto count = [&](std::string_view body) {
    HttpRequest http;
    http.body = body_of(body);
    return call(api, Method::kPost, "/v1/messages/count_tokens", std::move(http));
  };
  constexpr std::string_view kBody =
      R"({"model":"m","system":"s","messages":[{"role":"user","content":"hi"}],"tools":[{"name":"f"}]})";
  EXPECT_EQ(count(kBody)->bytes(), R"({"input_tokens":3})");
  const auto& input = std::get<TokenizeInput>(asked->input);
  EXPECT_EQ(std::get<Conversation>(input.prompt).messages.size(), 2U);
  EXPECT_EQ(std::get<Conversation>(input.prompt).tools.at(0).name, "f");
  EXPECT_EQ(count(R"({"model":"m"})")->failure().field(), "messages");
  answer = InferOutput();
  EXPECT_EQ(count(kBody)->failure().code(), Code::kInternal);
}

}  // namespace
}  // namespace cortex::frontend::anthropic
