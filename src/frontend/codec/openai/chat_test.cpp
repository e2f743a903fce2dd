// SPDX-License-Identifier: Apache-2.0
// Chats through the codec: what a client sees.
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "frontend/codec/openai/testing/played_model.h"

namespace cortex::frontend::openai {
namespace {

const std::string kChatHead =
    R"({"id":"chatcmpl-r1","object":"chat.completion","created":1700000000,"model":"m","system_fingerprint":"fp_test","choices":[)";

// An event of one choice.
std::string chunk(std::string_view choice) {
  return R"(data: {"id":"chatcmpl-r1","object":"chat.completion.chunk","created":1700000000,"model":"m","system_fingerprint":"fp_test","choices":[)" +
         std::string(choice) + "]}\n\n";
}

std::string role_chunk(int index = 0) {
  return chunk(
      R"({"index":)" + std::to_string(index) +
      R"(,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null})"
  );
}

std::string delta_chunk(std::string_view delta, int index = 0) {
  return chunk(
      R"({"index":)" + std::to_string(index) + R"(,"delta":)" + std::string(delta) +
      R"(,"logprobs":null,"finish_reason":null})"
  );
}

std::string end_chunk(std::string_view reason, int index = 0) {
  return chunk(
      R"({"index":)" + std::to_string(index) + R"(,"delta":{},"logprobs":null,"finish_reason":")" +
      std::string(reason) + R"("})"
  );
}

constexpr std::string_view kDone = "data: [DONE]\n\n";

TEST(Chat, answers_whole) {
  PlayedModel model;
  model.plays({said("Hel"), said("lo."), finished(FinishReason::kStop)});
  EXPECT_EQ(
      model.chat("")->bytes(),
      kChatHead +
          R"({"index":0,"message":{"role":"assistant","content":"Hello.","refusal":null},"logprobs":null,"finish_reason":"stop"}],)"
          R"("usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}})"
  );
  EXPECT_EQ(model.asked.at(0)->id, "r1");
  EXPECT_EQ(model.asked.at(0)->model.name, "m");
}

TEST(Chat, says_how_far_it_steps_back_and_how_long_it_waits) {
  PlayedModel model;
  model.plays({finished(FinishReason::kStop)});
  model.chat(R"(,"priority":-3)");
  EXPECT_EQ(model.asked.at(0)->niceness, -3);
  EXPECT_EQ(model.asked.at(0)->deadline, kNoDeadline);
  HttpRequest http;
  http.deadline = TimePoint(std::chrono::seconds(5));
  http.body = testing::body_of(R"({"model":"m","prompt":["a","b"],"priority":1})");
  testing::call(model.api, Method::kPost, "/v1/completions", std::move(http));
  ASSERT_EQ(model.asked.size(), 3u);
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(model.asked[i]->niceness, 1);
    EXPECT_EQ(model.asked[i]->deadline, TimePoint(std::chrono::seconds(5)));
  }
}

TEST(Chat, streams) {
  PlayedModel model;
  model.plays({said("Hel"), said("lo."), finished(FinishReason::kLength)});
  const auto exchange = model.chat(R"(,"stream":true)");
  EXPECT_EQ(exchange->head()->content_type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(
      exchange->streamed(),
      role_chunk() + delta_chunk(R"({"content":"Hel"})") + delta_chunk(R"({"content":"lo."})") +
          end_chunk("length") + std::string(kDone)
  );
  EXPECT_TRUE(exchange->stream_ended());
}

TEST(Chat, counts_tokens_at_the_end_of_a_stream_where_asked_for) {
  PlayedModel model;
  model.plays({said("a"), finished(FinishReason::kStop)});
  const std::string streamed =
      model.chat(R"(,"stream":true,"stream_options":{"include_usage":true})")->streamed();
  EXPECT_TRUE(streamed.ends_with(
      R"("choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}})"
      "\n\ndata: [DONE]\n\n"
  )) << streamed;
  EXPECT_NE(streamed.find(R"("finish_reason":"stop"}],"usage":null})"), std::string::npos);
}

TEST(Chat, counts_tokens_in_every_event_where_asked_for) {
  PlayedModel model;
  GenerationOutput first = said("a");
  first.input_tokens = 7;
  first.output_tokens = 2;
  model.plays({first, finished(FinishReason::kStop)});
  const std::string counted =
      R"("usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}})";
  const std::string asked = R"("include_usage":true,"continuous_usage_stats":true)";
  const std::string streamed =
      model.chat(R"(,"stream":true,"stream_options":{)" + asked + "}")->streamed();
  EXPECT_NE(
      streamed.find(R"({"content":"a"},"logprobs":null,"finish_reason":null}],)" + counted),
      std::string::npos
  ) << streamed;
  EXPECT_EQ(streamed.find(R"("usage":null)"), std::string::npos);
  // As vLLM has it: where no event counts at the end, none does before.
  EXPECT_EQ(
      model.chat(R"(,"stream":true,"stream_options":{"continuous_usage_stats":true})")
          ->streamed()
          .find("usage"),
      std::string::npos
  );
}

TEST(Chat, gives_each_sequence_its_choice) {
  PlayedModel model;
  model.plays(
      {said("b", 1),
       said("a", 0),
       finished(FinishReason::kStop, 1),
       finished(FinishReason::kLength, 0)}
  );
  EXPECT_EQ(
      model.chat(R"(,"n":2,"stream":true)")->streamed(),
      role_chunk(1) + delta_chunk(R"({"content":"b"})", 1) + role_chunk(0) +
          delta_chunk(R"({"content":"a"})", 0) + end_chunk("stop", 1) + end_chunk("length", 0) +
          std::string(kDone)
  );
  const std::string whole = model.chat(R"(,"n":2)")->bytes();
  EXPECT_NE(
      whole.find(R"({"index":0,"message":{"role":"assistant","content":"a")"), std::string::npos
  );
  EXPECT_NE(
      whole.find(R"({"index":1,"message":{"role":"assistant","content":"b")"), std::string::npos
  );
}

TEST(Chat, reasoning_has_a_field_of_its_own) {
  PlayedModel model;
  GenerationOutput thought;
  thought.reasoning = "hm";
  model.plays({thought, said("4"), finished(FinishReason::kStop)});
  EXPECT_NE(
      model.chat("")->bytes().find(R"("content":"4","refusal":null,"reasoning_content":"hm"})"),
      std::string::npos
  );
  EXPECT_NE(
      model.chat(R"(,"stream":true)")->streamed().find(R"("delta":{"reasoning_content":"hm"})"),
      std::string::npos
  );
}

std::vector<GenerationOutput> two_calls() {
  GenerationOutput first;
  first.tool_calls = {{0, "call_1", "weather", ""}};
  GenerationOutput more;
  more.tool_calls = {{0, "", "", R"({"city":)"}, {0, "", "", R"("Oslo"})"}};
  GenerationOutput second;
  second.tool_calls = {{1, "call_2", "time", "{}"}};
  return {first, more, second, finished(FinishReason::kToolCalls)};
}

TEST(Chat, gives_whole_calls_of_tools) {
  PlayedModel model;
  model.plays(two_calls());
  EXPECT_NE(
      model.chat("")->bytes().find(
          R"("message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[)"
          R"({"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},)"
          R"({"id":"call_2","type":"function","function":{"name":"time","arguments":"{}"}}]},)"
          R"("logprobs":null,"finish_reason":"tool_calls"})"
      ),
      std::string::npos
  );
}

TEST(Chat, streams_calls_of_tools_piece_by_piece) {
  PlayedModel model;
  model.plays(two_calls());
  EXPECT_EQ(
      model.chat(R"(,"stream":true)")->streamed(),
      role_chunk() +
          delta_chunk(
              R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]})"
          ) +
          delta_chunk(
              R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}},{"index":0,"function":{"arguments":"\"Oslo\"}"}}]})"
          ) +
          delta_chunk(
              R"({"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"time","arguments":"{}"}}]})"
          ) +
          end_chunk("tool_calls") + std::string(kDone)
  );
}

GenerationOutput with_logprobs() {
  GenerationOutput out = said("é");
  out.tokens = {
      {5, "\xC3", -0.5F, {{5, "\xC3", -0.5F}, {6, "x", -std::numeric_limits<float>::infinity()}}},
      {7, "\xA9", 0, {}}
  };
  return out;
}

TEST(Chat, gives_log_probabilities) {
  PlayedModel model;
  model.plays({with_logprobs(), finished(FinishReason::kStop)});
  const std::string expected =
      "\"logprobs\":{\"content\":[{\"token\":\"\xEF\xBF\xBD\",\"logprob\":-0.5,\"bytes\":[195],"
      "\"top_logprobs\":[{\"token\":\"\xEF\xBF\xBD\",\"logprob\":-0.5,\"bytes\":[195]},"
      "{\"token\":\"x\",\"logprob\":-9999,\"bytes\":[120]}]},"
      "{\"token\":\"\xEF\xBF\xBD\",\"logprob\":0,\"bytes\":[169],\"top_logprobs\":[]}],"
      "\"refusal\":null}";
  const std::string asked = R"(,"logprobs":true,"top_logprobs":2)";
  const std::string whole = model.chat(asked)->bytes();
  EXPECT_NE(whole.find(expected), std::string::npos) << whole;
  const std::string streamed = model.chat(asked + R"(,"stream":true)")->streamed();
  EXPECT_NE(streamed.find(R"("delta":{"content":"é"},)" + expected), std::string::npos) << streamed;
}

TEST(Chat, says_which_stop_string_it_met) {
  PlayedModel model;
  GenerationOutput end = finished(FinishReason::kStop);
  end.stop = "\n\n";
  model.plays({said("a"), end});
  EXPECT_NE(
      model.chat(R"(,"stop":"\n\n")")
          ->bytes()
          .find(R"("finish_reason":"stop","stop_reason":"\n\n"})"),
      std::string::npos
  );
}

TEST(Chat, errors_before_the_answer_have_their_status_and_later_ones_are_events) {
  PlayedModel model;
  model.plays({});
  model.end = invalid_argument("too long").with_reason("context_length_exceeded");
  EXPECT_EQ(model.chat(R"(,"stream":true)")->failure().text(), "too long");
  model.plays({said("a")});
  EXPECT_EQ(
      model.chat(R"(,"stream":true)")->streamed(),
      role_chunk() + delta_chunk(R"({"content":"a"})") +
          R"(data: {"error":{"message":"too long","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}})" +
          "\n\n"
  );
  EXPECT_EQ(model.chat("")->failure().reason(), "context_length_exceeded");
}

TEST(Chat, what_a_servable_may_not_say_is_our_fault) {
  PlayedModel model;
  model.plays({said("a", 1), finished(FinishReason::kStop)});
  EXPECT_EQ(model.chat("")->failure().code(), Code::kInternal) << "a sequence nobody asked for";
  model.plays({said("a")});
  EXPECT_EQ(model.chat("")->failure().code(), Code::kInternal) << "no end";
  GenerationOutput call;
  call.tool_calls = {{1, "x", "f", ""}};
  model.plays({call, finished(FinishReason::kToolCalls)});
  EXPECT_EQ(model.chat("")->failure().code(), Code::kInternal) << "the second call first";
}

TEST(Chat, a_wrong_body_reaches_no_model) {
  PlayedModel model;
  EXPECT_EQ(model.chat(R"(,"temperature":9)")->failure().field(), "temperature");
  EXPECT_TRUE(model.asked.empty());
}

TEST(OpenAiError, names_the_field_and_the_reason) {
  PlayedModel model;
  EXPECT_EQ(
      model.api.error_body(400, invalid_argument("no").with_field("n").with_reason("why"), ""),
      R"({"error":{"message":"no","type":"invalid_request_error","param":"n","code":"why"}})"
  );
  EXPECT_EQ(
      model.api.error_body(404, not_found("no such path").with_reason("unknown_url"), ""),
      R"({"error":{"message":"no such path","type":"invalid_request_error","param":null,"code":"unknown_url"}})"
  );
}

}  // namespace
}  // namespace cortex::frontend::openai
