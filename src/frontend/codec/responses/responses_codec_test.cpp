// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/responses_codec.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "frontend/codec/responses/memory_book.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::responses {
namespace {

namespace json = boost::json;
using testing::body_of;
using testing::FakeExchange;

GenerationOutput part(std::string text, FinishReason finish = FinishReason::kNone) {
  GenerationOutput out;
  out.text = std::move(text);
  out.finish = finish;
  return out;
}

// A codec with a memory over a model that says the same to everybody: 7 tokens read, 4 of them
// cached, 5 written.
struct ResponsesCodecTest : ::testing::Test {
  ResponsesOptions options() {
    ResponsesOptions out;
    out.book = &book;
    out.ttl = std::chrono::milliseconds(1000);
    out.now = [this] { return now; };
    out.draw = [this] { return "s" + std::to_string(++drawn) + "_"; };
    return out;
  }
  static ResponseBookOptions book_options(const std::int64_t& now) {
    ResponseBookOptions out;
    out.now = [&now] { return now; };
    return out;
  }

  std::shared_ptr<FakeExchange> call(
      Method method,
      std::string_view pattern,
      std::string_view body,
      const std::string& id = "",
      const std::string& query = ""
  ) {
    HttpRequest http;
    http.body = body_of(body);
    http.principal.key = key;
    http.query = query;
    if (!id.empty()) http.path_values = {id};
    return testing::call(api, method, pattern, std::move(http));
  }
  // The fields begin with a comma.
  std::shared_ptr<FakeExchange> create(std::string_view fields) {
    return call(Method::kPost, "/v1/responses", R"({"model":"m")" + std::string(fields) + "}");
  }
  std::shared_ptr<FakeExchange> get(const std::string& id) {
    return call(Method::kGet, "/v1/responses/{response_id}", "", id);
  }
  json::object document(const std::shared_ptr<FakeExchange>& exchange) {
    return json::parse(exchange->bytes()).as_object();
  }
  const Conversation& asked() const {
    const auto& input = std::get<GenerationInput>(requests.back()->input);
    return std::get<Conversation>(input.prompt);
  }

  std::int64_t now = 1'700'000'000'123;
  int drawn = 0;
  std::string key = "anna";
  std::vector<GenerationOutput> parts{part("hel"), part("lo", FinishReason::kStop)};
  Status end;
  std::optional<ResponsePart> counted;  // what is answered instead, to whoever counts
  std::vector<std::shared_ptr<const Request>> requests;
  MemoryBook book{book_options(now)};
  ResponsesCodec codec{
      [this](
          std::shared_ptr<const Request> request, const std::shared_ptr<ResponseStream>& stream
      ) {
        requests.push_back(std::move(request));
        if (counted) return stream->finish(ResponsePart(*counted), Timings());
        for (const GenerationOutput& one : parts) {
          if (!stream->write(GenerationOutput(one))) break;
        }
        Timings timings;
        timings.input_tokens = 7;
        timings.cached_tokens = 4;
        timings.output_tokens = 5;
        stream->finish(end, timings);
      },
      options()
  };
  Api api = codec.make_api();
};

TEST_F(ResponsesCodecTest, an_answer_has_openai_s_form) {
  const auto answer =
      create(R"(,"input":"hi","instructions":"be brief","max_output_tokens":9,"max_tool_calls":2)");
  EXPECT_EQ(
      answer->bytes(),
      R"({"id":"resp_s1_","object":"response","created_at":1700000000,"status":"completed",)"
      R"("background":false,"error":null,"incomplete_details":null,"model":"m",)"
      R"("instructions":"be brief","max_output_tokens":9,"max_tool_calls":2,"metadata":{},)"
      R"("parallel_tool_calls":true,"previous_response_id":null,)"
      R"("reasoning":{"effort":null,"summary":null},"service_tier":"default","temperature":1,)"
      R"("text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1,)"
      R"("truncation":"disabled","store":true,"user":null,"usage":{"input_tokens":7,)"
      R"("input_tokens_details":{"cached_tokens":4,"cache_write_tokens":0},"output_tokens":5,)"
      R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":12},)"
      R"("output":[{"id":"msg_s1_0","type":"message","status":"completed","role":"assistant",)"
      R"("content":[{"type":"output_text","text":"hello","annotations":[],"logprobs":[]}]}]})"
  );
  ASSERT_EQ(asked().messages.size(), 2U);
  EXPECT_EQ(asked().messages[0].role, Role::kSystem);
  EXPECT_EQ(asked().messages[0].content, "be brief");
  EXPECT_EQ(get("resp_s1_")->bytes(), answer->bytes());
}

TEST_F(ResponsesCodecTest, an_answer_goes_on_from_the_one_before) {
  create(R"(,"input":"one","instructions":"old")");
  parts = {part("again", FinishReason::kStop)};
  create(R"(,"input":"two","previous_response_id":"resp_s1_")");
  const auto third =
      create(R"(,"input":"three","instructions":"new","previous_response_id":"resp_s2_")");
  std::vector<std::string> said;
  for (const Message& message : asked().messages) said.push_back(message.content);
  EXPECT_EQ(said, (std::vector<std::string>{"new", "one", "hello", "two", "again", "three"}));
  EXPECT_EQ(document(third).at("previous_response_id").as_string(), "resp_s2_");
}

TEST_F(ResponsesCodecTest, nobody_else_sees_or_goes_on_from_it) {
  create(R"(,"input":"one")");
  key = "bob";
  EXPECT_EQ(get("resp_s1_")->failure().code(), Code::kNotFound);
  const Status foreign = create(R"(,"input":"x","previous_response_id":"resp_s1_")")->failure();
  EXPECT_EQ(foreign.code(), Code::kInvalidArgument);
  EXPECT_EQ(foreign.reason(), "previous_response_not_found");
  EXPECT_EQ(requests.size(), 1U);
  for (const auto* const pattern :
       {"/v1/responses/{response_id}/cancel",
        "/v1/responses/{response_id}/input_items",
        "/v1/responses/{response_id}"}) {
    const Method method = std::string_view(pattern).ends_with("cancel")  ? Method::kPost
                          : std::string_view(pattern).ends_with("items") ? Method::kGet
                                                                         : Method::kDelete;
    EXPECT_EQ(call(method, pattern, "", "resp_s1_")->failure().code(), Code::kNotFound) << pattern;
  }
  key = "anna";
  EXPECT_TRUE(get("resp_s1_")->failure().ok());
  EXPECT_NE(
      api.error_body(404, no_such_response("resp_x"), "").find(R"("code":"response_not_found")"),
      std::string::npos
  );
}

TEST_F(ResponsesCodecTest, what_shall_not_be_kept_is_not) {
  EXPECT_EQ(document(create(R"(,"input":"one","store":false)")).at("store").as_bool(), false);
  EXPECT_EQ(get("resp_s1_")->failure().code(), Code::kNotFound);
  // What cannot be kept says so.
  parts = {part(std::string(kKeptBytesMax, 'x'), FinishReason::kStop)};
  EXPECT_EQ(document(create(R"(,"input":"one")")).at("store").as_bool(), false);
  EXPECT_EQ(get("resp_s2_")->failure().code(), Code::kNotFound);
}

TEST_F(ResponsesCodecTest, it_goes_when_it_is_too_old_or_deleted) {
  create(R"(,"input":"one")");
  EXPECT_EQ(
      call(Method::kDelete, "/v1/responses/{response_id}", "", "resp_s1_")->bytes(),
      R"({"id":"resp_s1_","object":"response","deleted":true})"
  );
  EXPECT_EQ(get("resp_s1_")->failure().code(), Code::kNotFound);
  create(R"(,"input":"one")");
  now += 1000;
  EXPECT_EQ(get("resp_s2_")->failure().code(), Code::kNotFound);
}

TEST_F(ResponsesCodecTest, cancelling_is_for_what_runs_in_the_background) {
  create(R"(,"input":"one")");
  const Status status =
      call(Method::kPost, "/v1/responses/{response_id}/cancel", "", "resp_s1_")->failure();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(
      call(Method::kGet, "/v1/responses/{response_id}", "", "resp_s1_", "stream=true")
          ->failure()
          .field(),
      "stream"
  );
}

TEST_F(ResponsesCodecTest, lists_what_was_asked_in_pages) {
  create(R"(,"input":[{"role":"user","content":"a"},{"role":"user","content":"b","id":"msg_own"},)"
         R"({"role":"user","content":"c"}])");
  const auto page = [&](const std::string& query) {
    const auto exchange =
        call(Method::kGet, "/v1/responses/{response_id}/input_items", "", "resp_s1_", query);
    if (!exchange->failure().ok()) return "fault: " + exchange->failure().field();
    const json::object list = document(exchange);
    std::string out;
    for (const json::value& item : list.at("data").as_array()) {
      out += item.at("content").at(0).at("text").as_string();
    }
    return out + (list.at("has_more").as_bool() ? "…" : "");
  };
  EXPECT_EQ(page(""), "cba");
  EXPECT_EQ(page("order=asc"), "abc");
  EXPECT_EQ(page("order=asc&limit=2"), "ab…");
  EXPECT_EQ(page("order=asc&limit=2&after=msg_own"), "c");
  EXPECT_EQ(page("after=msg_s1_i0"), "");
  EXPECT_EQ(page("include%5B%5D=x"), "cba");
  EXPECT_EQ(page("after=nothing"), "fault: after");
  EXPECT_EQ(page("limit=0"), "fault: limit");
  EXPECT_EQ(page("limit=101"), "fault: limit");
  EXPECT_EQ(page("order=up"), "fault: order");
  EXPECT_EQ(page("x=1"), "fault: x");
}

TEST_F(ResponsesCodecTest, calls_and_thoughts_are_items) {
  GenerationOutput thought;
  thought.reasoning = "hm";
  GenerationOutput calls = part("ok");
  calls.tool_calls = {{0, "c1", "f", "{\"a\""}};
  GenerationOutput rest;
  rest.tool_calls = {{0, "", "", ":1}"}, {1, "c2", "g", "{}"}};
  rest.finish = FinishReason::kToolCalls;
  parts = {thought, calls, rest};
  const json::object answer =
      document(create(R"(,"input":"one","tools":[{"type":"function","name":"f"}])"));
  EXPECT_EQ(answer.at("status").as_string(), "completed");
  const json::array& output = answer.at("output").as_array();
  ASSERT_EQ(output.size(), 4U);
  EXPECT_EQ(output[0].at("type").as_string(), "reasoning");
  EXPECT_EQ(output[0].at("content").at(0).at("text").as_string(), "hm");
  EXPECT_EQ(output[1].at("type").as_string(), "message");
  EXPECT_EQ(output[2].at("arguments").as_string(), R"({"a":1})");
  EXPECT_EQ(output[3].at("call_id").as_string(), "c2");
  // The client answers the calls and leaves the rest to us.
  parts = {part("done", FinishReason::kStop)};
  const auto next = create(
      R"(,"previous_response_id":"resp_s1_","input":[{"type":"function_call_output","call_id":"c1","output":"x"},)"
      R"({"type":"function_call_output","call_id":"c2","output":"y"}])"
  );
  ASSERT_TRUE(next->failure().ok()) << next->failure().text();
  ASSERT_EQ(asked().messages.size(), 4U);
  EXPECT_EQ(asked().messages[1].tool_calls.size(), 2U);
  EXPECT_EQ(asked().messages[1].reasoning, "hm");
  EXPECT_EQ(asked().messages[3].tool_call_id, "c2");
  EXPECT_EQ(
      create(R"(,"input":[{"type":"function_call_output","call_id":"c1","output":"x"}])")
          ->failure()
          .field(),
      "input"
  );
}

// The types of events in order, and of each the whole.
std::vector<json::object> events_of(const std::string& stream) {
  std::vector<json::object> out;
  std::size_t at = 0;
  while ((at = stream.find("data: ", at)) != std::string::npos) {
    const std::size_t end = stream.find("\n\n", at);
    out.push_back(json::parse(stream.substr(at + 6, end - at - 6)).as_object());
    at = end;
  }
  return out;
}

TEST_F(ResponsesCodecTest, a_stream_tells_every_item_as_it_grows) {
  GenerationOutput calls;
  calls.tool_calls = {{0, "c1", "f", "{"}, {0, "", "", "}"}};
  calls.finish = FinishReason::kToolCalls;
  parts = {part("a"), part("b"), calls};
  const auto exchange = create(
      R"(,"input":"one","stream":true,"tools":[{"type":"function","name":"f","parameters":{
        "type":"object"}}])"
  );
  const auto events = events_of(exchange->streamed());
  std::vector<std::string> types;
  std::int64_t number = 0;
  for (const json::object& event : events) {
    types.emplace_back(event.at("type").as_string());
    EXPECT_EQ(event.at("sequence_number").as_int64(), number++);
    EXPECT_NE(exchange->streamed().find("event: " + types.back() + "\ndata: "), std::string::npos);
  }
  EXPECT_EQ(
      types,
      (std::vector<std::string>{
          "response.created",
          "response.in_progress",
          "response.output_item.added",
          "response.content_part.added",
          "response.output_text.delta",
          "response.output_text.delta",
          "response.output_text.done",
          "response.content_part.done",
          "response.output_item.done",
          "response.output_item.added",
          "response.function_call_arguments.delta",
          "response.function_call_arguments.delta",
          "response.function_call_arguments.done",
          "response.output_item.done",
          "response.completed"
      })
  );
  EXPECT_EQ(events[0].at("response").at("status").as_string(), "in_progress");
  EXPECT_TRUE(events[0].at("response").at("usage").is_null());
  EXPECT_EQ(events[5].at("delta").as_string(), "b");
  EXPECT_EQ(events[6].at("text").as_string(), "ab");
  EXPECT_EQ(events[12].at("arguments").as_string(), "{}");
  EXPECT_EQ(events[12].at("item_id"), events[9].at("item").at("id"));
  EXPECT_EQ(events[14].at("response").at("usage").at("total_tokens").as_int64(), 12);
  // What was streamed is kept, too.
  EXPECT_EQ(json::parse(get("resp_s1_")->bytes()), events[14].at("response"));
}

TEST_F(ResponsesCodecTest, counts_the_tokens_that_an_answer_would_begin_with) {
  create(R"(,"input":"one","instructions":"old")");
  counted = TokenizeOutput{{1, 2, 3}, {}, 64};
  const auto count = [&](std::string_view fields) {
    return call(
        Method::kPost, "/v1/responses/input_tokens", R"({"model":"m")" + std::string(fields) + "}"
    );
  };
  const auto said = [&] {
    const auto& input = std::get<TokenizeInput>(requests.back()->input);
    std::vector<std::string> out;
    for (const Message& message : std::get<Conversation>(input.prompt).messages) {
      out.push_back(message.content);
    }
    return out;
  };
  using Said = std::vector<std::string>;
  EXPECT_EQ(
      count(R"(,"input":"two","instructions":"new","previous_response_id":"resp_s1_",)"
            R"("tools":[{"type":"function","name":"f"}],"text":{"format":{"type":"text"}},)"
            R"("truncation":"disabled","reasoning":{"effort":"low"})")
          ->bytes(),
      R"({"object":"response.input_tokens","input_tokens":3})"
  );
  EXPECT_EQ(said(), (Said{"new", "one", "hello", "two"}));
  const auto& input = std::get<TokenizeInput>(requests.back()->input);
  EXPECT_EQ(std::get<Conversation>(input.prompt).tools.at(0).name, "f");
  EXPECT_TRUE(count(R"(,"previous_response_id":"resp_s1_","input":null)")->failure().ok());
  EXPECT_EQ(said(), (Said{"one", "hello"}));
  EXPECT_TRUE(count(R"(,"instructions":"new")")->failure().ok());
  EXPECT_EQ(said(), (Said{"new"}));
  EXPECT_EQ(count("")->failure().field(), "input");
  EXPECT_EQ(count(R"(,"input":"a","truncation":"auto")")->failure().field(), "truncation");
  EXPECT_EQ(
      count(R"(,"previous_response_id":"resp_x")")->failure().reason(),
      "previous_response_not_found"
  );
  EXPECT_EQ(get("resp_s2_")->failure().code(), Code::kNotFound) << "nothing of it is kept";
  counted = GenerationOutput();
  EXPECT_EQ(count(R"(,"input":"a")")->failure().code(), Code::kInternal);
}

TEST_F(ResponsesCodecTest, a_path_of_openai_s_that_is_not_served_is_none) {
  HttpRequest http;
  http.path = "/v1/responses/compact";
  const auto exchange = testing::call(api, Method::kPost, http.path, http);
  EXPECT_EQ(exchange->failure().code(), Code::kNotFound);
  EXPECT_EQ(exchange->failure().reason(), "unknown_url");
}

TEST_F(ResponsesCodecTest, an_answer_that_was_cut_off_is_incomplete) {
  parts = {part("a", FinishReason::kLength)};
  const json::object answer = document(create(R"(,"input":"one")"));
  EXPECT_EQ(answer.at("status").as_string(), "incomplete");
  EXPECT_EQ(answer.at("incomplete_details").at("reason").as_string(), "max_output_tokens");
  EXPECT_EQ(answer.at("output").at(0).at("status").as_string(), "incomplete");
  const auto events = events_of(create(R"(,"input":"one","stream":true)")->streamed());
  EXPECT_EQ(events.back().at("type").as_string(), "response.incomplete");
}

TEST_F(ResponsesCodecTest, an_answer_that_ends_inside_a_call_is_incomplete) {
  GenerationOutput begun;
  begun.tool_calls = {{0, "c1", "f", "{}"}, {1, "c2", "f", "{\"a\": \""}};
  parts = {begun, part("", FinishReason::kStop)};
  const json::object answer = document(create(R"(,"input":"one")"));
  EXPECT_EQ(answer.at("status").as_string(), "incomplete");
  EXPECT_TRUE(answer.at("incomplete_details").is_null());
  EXPECT_EQ(answer.at("output").at(0).at("status").as_string(), "completed");
  EXPECT_EQ(answer.at("output").at(1).at("status").as_string(), "incomplete");
  const auto events = events_of(create(R"(,"input":"one","stream":true)")->streamed());
  EXPECT_EQ(events.back().at("type").as_string(), "response.incomplete");
  EXPECT_EQ(events.at(events.size() - 2).at("item").at("status").as_string(), "incomplete");
}

TEST_F(ResponsesCodecTest, an_answer_that_was_cut_off_before_it_said_anything_has_no_items) {
  parts = {part("", FinishReason::kLength)};
  const json::object answer = document(create(R"(,"input":"one")"));
  EXPECT_EQ(answer.at("status").as_string(), "incomplete");
  EXPECT_TRUE(answer.at("output").as_array().empty());
  const auto events = events_of(create(R"(,"input":"one","stream":true)")->streamed());
  EXPECT_EQ(events.size(), 3U);
  EXPECT_EQ(events.back().at("type").as_string(), "response.incomplete");
  // It can be gone on from, and one that ended by itself has an empty message.
  parts = {part("", FinishReason::kStop)};
  const json::object next = document(create(R"(,"input":"two","previous_response_id":"resp_s1_")"));
  EXPECT_EQ(next.at("status").as_string(), "completed");
  EXPECT_EQ(next.at("output").as_array().size(), 1U);
}

TEST_F(ResponsesCodecTest, an_error_is_an_answer_of_its_own_or_the_last_event) {
  end = unavailable("draining");
  const auto cut = create(R"(,"input":"one","stream":true)");
  const auto events = events_of(cut->streamed());
  ASSERT_EQ(events.back().at("type").as_string(), "response.failed");
  EXPECT_EQ(events.back().at("response").at("status").as_string(), "failed");
  EXPECT_EQ(events.back().at("response").at("error").at("code").as_string(), "server_error");
  // The item that was open is closed as what it is.
  EXPECT_EQ(events.back().at("response").at("output").at(0).at("status").as_string(), "incomplete");
  const json::object& closed = events.at(events.size() - 2);
  EXPECT_EQ(closed.at("type").as_string(), "response.output_item.done");
  EXPECT_EQ(closed.at("item"), events.back().at("response").at("output").at(0));
  EXPECT_EQ(get("resp_s1_")->failure().code(), Code::kNotFound);
  parts.clear();
  EXPECT_EQ(create(R"(,"input":"one","stream":true)")->failure().code(), Code::kUnavailable);
  end = {};
  EXPECT_EQ(create(R"(,"input":"one")")->failure().code(), Code::kInternal) << "no end";
  GenerationOutput wrong;
  wrong.tool_calls = {{1, "c", "f", "{}"}};
  parts = {wrong};
  EXPECT_EQ(create(R"(,"input":"one")")->failure().code(), Code::kInternal);
}

TEST_F(ResponsesCodecTest, log_probabilities_come_with_their_text) {
  GenerationOutput first = part("");
  TokenText token;
  token.bytes = "a";
  token.logprob = -1;
  first.tokens = {token};
  GenerationOutput second = part("ab", FinishReason::kStop);
  second.tokens = {token};
  parts = {first, second};
  const json::object answer =
      document(create(R"(,"input":"one","include":["message.output_text.logprobs"])"));
  EXPECT_EQ(answer.at("output").at(0).at("content").at(0).at("logprobs").as_array().size(), 2U);
}

TEST(ResponsesCodec, without_a_book_nothing_is_kept) {
  ResponsesCodec codec(
      [](std::shared_ptr<const Request>, const std::shared_ptr<ResponseStream>& stream) {
        EXPECT_TRUE(stream->write(part("a", FinishReason::kStop)));
        stream->finish(Status(), Timings());
      },
      {}
  );
  const Api api = codec.make_api();
  const auto post = [&](std::string_view body) {
    HttpRequest http;
    http.body = body_of(body);
    return testing::call(api, Method::kPost, "/v1/responses", std::move(http));
  };
  const auto answer = json::parse(post(R"({"model":"m","input":"a"})")->bytes());
  EXPECT_FALSE(answer.at("store").as_bool());
  EXPECT_EQ(answer.at("id").as_string().size(), 37U);
  EXPECT_EQ(
      post(R"({"model":"m","input":"a","previous_response_id":"resp_1"})")->failure().reason(),
      "previous_response_not_found"
  );
}

}  // namespace
}  // namespace cortex::frontend::responses
