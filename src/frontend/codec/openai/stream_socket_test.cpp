// SPDX-License-Identifier: Apache-2.0
// /v1/stream through the codec: what a client sees.
#include "frontend/codec/openai/stream_socket.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/codec/openai/openai_codec.h"
#include "frontend/codec/openai/stream_message.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "frontend/http/web_socket.h"

namespace cortex::frontend::openai {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Records final : public RecordSink {
 public:
  void record(const RequestRecord& record) override { all.push_back(record); }
  std::vector<RequestRecord> all;
};

GenerationOutput text_part(std::string text, FinishReason finish = FinishReason::kNone) {
  GenerationOutput out;
  out.text = std::move(text);
  out.finish = finish;
  return out;
}

// A socket over a model that the test plays.
class StreamSocketTest : public ::testing::Test {
 protected:
  StreamSocketTest() {
    HttpRequest request;
    request.id = "r1";
    request.path = "/v1/stream";
    request.headers = {
        {"connection", "Upgrade"},
        {"upgrade", "websocket"},
        {"sec-websocket-version", "13"},
        {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}
    };
    OpenAiOptions options;
    options.sockets.generations_max = 2;
    options.sockets.message_bytes_max = 1'000;
    options.sockets.ping_interval = std::chrono::seconds(1);
    options.sockets.idle_timeout = std::chrono::seconds(3);
    options.sockets.records = &records_;
    options.draw = [] { return "a1b2"; };
    codec_ = std::make_unique<OpenAiCodec>(ModelCatalog(), submit(), std::move(options));
    api_ = codec_->make_api();
    exchange_ = testing::call(api_, Method::kGet, "/v1/stream", std::move(request));
  }

  // Ends what holds socket and exchange together.
  void TearDown() override {
    if (!exchange_->stream_ended()) exchange_->disconnect();
  }

  Submit submit() {
    return [this](
               std::shared_ptr<const Request> request, const std::shared_ptr<ResponseStream>& stream
           ) {
      asked_.push_back(std::move(request));
      inside_.push_back(stream);
    };
  }

  // A client's frame, masked with zeros.
  static std::string frame(std::uint8_t opcode, std::string_view content) {
    std::string out;
    append_frame(out, FrameKind::kText, content);
    out[0] = static_cast<char>(0x80 | opcode);
    out[1] = static_cast<char>(out[1] | 0x80);
    const std::size_t head = out.size() - content.size();
    return out.insert(head, 4, '\0');
  }
  void say(std::string_view message) { exchange_->feed(frame(1, message)); }
  void generate(const std::string& id) {
    say(R"({"type":"generate","id":")" + id +
        R"(","model":"m","messages":[{"role":"user","content":"hi"}]})");
  }

  // What was sent since the last call: texts as they are, other frames as "<opcode> content".
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    std::string_view rest = std::string_view(exchange_->streamed()).substr(heard_);
    heard_ = exchange_->streamed().size();
    while (!rest.empty()) {
      const auto at = [&rest](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
      std::size_t size = at(1);
      std::size_t head = 2;
      if (size == 126) {
        size = static_cast<std::size_t>(at(2)) << 8 | at(3);
        head = 4;
      }
      std::string text(rest.substr(head, size));
      const int opcode = at(0) & 0x0F;
      if (opcode == 8) text = std::to_string(at(head) << 8 | at(head + 1)) + text.substr(2);
      out.push_back(opcode == 1 ? text : "<" + std::to_string(opcode) + "> " + text);
      rest.remove_prefix(head + size);
    }
    return out;
  }

  Records records_;
  std::vector<std::shared_ptr<const Request>> asked_;
  std::vector<std::shared_ptr<ResponseStream>> inside_;
  std::unique_ptr<OpenAiCodec> codec_;
  Api api_;
  std::shared_ptr<testing::FakeExchange> exchange_;
  std::size_t heard_ = 0;
};

TEST_F(StreamSocketTest, becomes_a_socket) {
  EXPECT_EQ(exchange_->head()->status, 101);
  EXPECT_FALSE(exchange_->stream_ended());
}

TEST_F(StreamSocketTest, several_generations_stream_side_by_side) {
  generate("a");
  generate("b");
  ASSERT_EQ(inside_.size(), 2u);
  EXPECT_EQ(asked_[0]->id, "r1-1");
  EXPECT_TRUE(inside_[1]->write(text_part("x")));
  EXPECT_TRUE(inside_[0]->write(text_part("y")));
  auto said = heard();
  ASSERT_EQ(said.size(), 4u) << "a role and a text of each";
  EXPECT_THAT(said[0], HasSubstr(R"({"type":"delta","id":"b","chunk":{"id":"chatcmpl-a1b2",)"));
  EXPECT_THAT(said[1], HasSubstr(R"("delta":{"content":"x"})"));
  EXPECT_THAT(said[3], HasSubstr(R"("delta":{"content":"y"})"));
  Timings timings;
  timings.input_tokens = 2;
  timings.output_tokens = 1;
  inside_[1]->finish(text_part("", FinishReason::kStop), timings);
  said = heard();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(
      said[1],
      R"({"type":"done","id":"b","usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}}})"
  );
  ASSERT_EQ(records_.all.size(), 1u);
  EXPECT_EQ(records_.all[0].route, "/v1/stream");
  EXPECT_EQ(records_.all[0].http_status, 200);
  EXPECT_EQ(records_.all[0].timings.output_tokens, 1u);
  generate("b");
  EXPECT_EQ(inside_.size(), 3u) << "an id is free again";
  for (const auto& stream : inside_) {
    if (!stream->finished()) stream->finish(cancelled("over"));
  }
}

TEST_F(StreamSocketTest, a_cancel_ends_one_and_says_so) {
  generate("a");
  generate("b");
  say(R"({"type":"cancel","id":"a"})");
  EXPECT_TRUE(inside_[0]->cancelled());
  EXPECT_FALSE(inside_[1]->cancelled());
  EXPECT_THAT(heard(), IsEmpty()) << "it ends when the model let go of it";
  inside_[0]->finish(cancelled("left"));
  EXPECT_THAT(heard(), ElementsAre(R"({"type":"done","id":"a","cancelled":true})"));
  EXPECT_EQ(records_.all.at(0).http_status, 499);
  inside_[1]->finish(unavailable("gone"));
  EXPECT_THAT(heard().at(0), HasSubstr(R"({"type":"error","id":"b","error":{"message":"gone")"));
}

TEST_F(StreamSocketTest, mistakes_are_errors_of_their_id) {
  say("{");
  EXPECT_THAT(heard().at(0), HasSubstr(R"({"type":"error","error":{"message":)"));
  say(R"({"type":"generate","id":"a","nonsense":1})");
  EXPECT_THAT(heard().at(0), HasSubstr(R"("id":"a","error":{)"));
  generate("b");
  generate("b");
  EXPECT_THAT(heard().at(0), HasSubstr(R"("param":"id")"));
  generate("c");
  generate("d");
  EXPECT_THAT(heard().at(0), HasSubstr("2 generations run on this socket (sockets.generations)"));
  EXPECT_EQ(inside_.size(), 2u);
  EXPECT_FALSE(exchange_->stream_ended());
  for (const auto& stream : inside_) stream->finish(cancelled("over"));
}

TEST_F(StreamSocketTest, a_full_queue_stops_the_reading_and_the_models) {
  generate("a");
  exchange_->set_room(0);
  for (std::size_t i = 0; i < kUnreadPartsMax + 1; ++i) {
    ASSERT_TRUE(inside_[0]->write(text_part("x"))) << i;
  }
  EXPECT_FALSE(inside_[0]->write(text_part("x"))) << "the model is paused";
  say(R"({"type":"ping","id":"1"})");
  EXPECT_FALSE(exchange_->wants_more()) << "whoever does not read is not read";
  exchange_->feed("");
  EXPECT_THAT(heard(), IsEmpty());
  exchange_->set_room(100);
  const auto said = heard();
  EXPECT_EQ(said.at(0), R"({"type":"pong","id":"1"})");
  EXPECT_GT(said.size(), kUnreadPartsMax);
  EXPECT_TRUE(exchange_->wants_more());
  EXPECT_TRUE(inside_[0]->write(text_part("x")));
  inside_[0]->finish(cancelled("over"));
}

TEST_F(StreamSocketTest, whoever_never_reads_is_closed_with_a_code) {
  generate("a");
  exchange_->set_room(0);
  exchange_->notice(Exchange::Notice::kStalled);
  EXPECT_TRUE(inside_[0]->cancelled());
  EXPECT_TRUE(exchange_->stream_ended());
  EXPECT_THAT(heard().back(), HasSubstr("<8> 4001"));
  inside_[0]->finish(cancelled("left"));
  EXPECT_EQ(records_.all.size(), 1u);
}

TEST_F(StreamSocketTest, a_client_that_vanishes_cancels_all) {
  generate("a");
  generate("b");
  exchange_->disconnect();
  EXPECT_TRUE(inside_[0]->cancelled());
  EXPECT_TRUE(inside_[1]->cancelled());
  EXPECT_TRUE(exchange_->stream_ended());
  for (const auto& stream : inside_) stream->finish(cancelled("left"));
  EXPECT_EQ(records_.all.size(), 2u);
}

TEST_F(StreamSocketTest, ends_as_the_client_does) {
  exchange_->feed(frame(8, "\x03\xE8"));
  EXPECT_THAT(heard(), ElementsAre("<8> 1000"));
  EXPECT_TRUE(exchange_->stream_ended());
}

TEST_F(StreamSocketTest, what_is_no_text_ends_it) {
  exchange_->feed(frame(2, "x"));
  EXPECT_THAT(heard().at(0), HasSubstr("<8> 1003"));
}

TEST_F(StreamSocketTest, what_is_no_utf8_ends_it) {
  say("\xFF");
  EXPECT_THAT(heard().at(0), HasSubstr("<8> 1007"));
}

TEST_F(StreamSocketTest, pings_silence_and_ends_without_an_answer) {
  exchange_->be_quiet();
  EXPECT_THAT(heard(), ElementsAre("<9> "));
  exchange_->be_quiet();
  exchange_->be_quiet();
  EXPECT_THAT(heard().back(), HasSubstr("<8> 4000pings"));
}

TEST_F(StreamSocketTest, idleness_ends_it_though_pings_are_answered) {
  for (int i = 0; i < 2; ++i) {
    exchange_->be_quiet();
    exchange_->feed(frame(10, ""));
  }
  EXPECT_FALSE(exchange_->stream_ended());
  exchange_->be_quiet();
  EXPECT_THAT(heard().back(), HasSubstr("<8> 4000idle"));
}

TEST_F(StreamSocketTest, a_running_generation_is_no_idleness) {
  generate("a");
  for (int i = 0; i < 10; ++i) {
    exchange_->be_quiet();
    exchange_->feed(frame(10, ""));
  }
  EXPECT_FALSE(exchange_->stream_ended());
  inside_[0]->finish(cancelled("over"));
}

TEST_F(StreamSocketTest, a_draining_server_ends_it_after_what_runs) {
  generate("a");
  exchange_->notice(Exchange::Notice::kDraining);
  EXPECT_FALSE(exchange_->stream_ended());
  generate("b");
  EXPECT_THAT(heard().at(0), HasSubstr("draining"));
  inside_[0]->finish(text_part("", FinishReason::kStop), Timings());
  const auto said = heard();
  EXPECT_THAT(said.at(said.size() - 2), HasSubstr(R"("type":"done")"));
  EXPECT_THAT(said.back(), HasSubstr("<8> 1001"));
  EXPECT_TRUE(exchange_->stream_ended());
}

TEST(StreamMessage, keeps_what_is_not_its_own) {
  const auto text = testing::body_of(
      R"({"model":"m","id":"x","n":1,"n":2,"stream":false,"a\"b":[1, {"c":2}],"type":"generate"})"
  );
  StreamMessage message;
  ASSERT_TRUE(read_stream_message(text->text(), message).ok());
  EXPECT_EQ(message.id, "x");
  EXPECT_EQ(message.body->text(), R"({"stream":true,"model":"m","n":1,"n":2,"a\"b":[1, {"c":2}]})");
}

TEST_F(StreamSocketTest, a_generation_is_wanted_for_as_long_as_its_message_says) {
  generate("a");
  const TimePoint before = steady_clock().now();
  say(R"({"type":"generate","id":"b","model":"m","messages":[{"role":"user","content":"hi"}],)"
      R"("timeout_ms":60000})");
  const TimePoint after = steady_clock().now();
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_EQ(asked_[0]->deadline, kNoDeadline);
  EXPECT_GE(asked_[1]->deadline, before + std::chrono::minutes(1));
  EXPECT_LE(asked_[1]->deadline, after + std::chrono::minutes(1));
  for (const auto& stream : inside_) stream->finish(cancelled("over"));
}

TEST(StreamMessage, reads_how_long_it_is_wanted) {
  const auto timeout = [](std::string_view value) {
    StreamMessage message;
    const std::string text =
        R"({"type":"generate","id":"x","timeout_ms":)" + std::string(value) + R"(,"n":1})";
    EXPECT_TRUE(read_stream_message(testing::body_of(text)->text(), message).ok()) << value;
    EXPECT_EQ(message.body->text(), R"({"stream":true,"n":1})");
    return message.timeout.count();
  };
  EXPECT_EQ(timeout("0"), 0);
  EXPECT_EQ(timeout("null"), 0);
  EXPECT_EQ(timeout("999999999"), 999999999);
}

TEST(StreamMessage, names_what_is_wrong_and_whose_it_is) {
  const auto fault = [](std::string_view text) {
    StreamMessage message;
    const Status status = read_stream_message(testing::body_of(text)->text(), message);
    return status.field() + " " + message.id;
  };
  EXPECT_EQ(fault(R"({"id":"x"})"), "type x");
  EXPECT_EQ(fault(R"({"id":"x","type":"sing"})"), "type x");
  EXPECT_EQ(fault(R"({"id":"x","id":"y"})"), "id x");
  EXPECT_EQ(fault(R"({"type":"cancel"})"), "id ");
  EXPECT_EQ(fault(R"({"type":"generate","id":7})"), "id ");
  EXPECT_EQ(fault(R"({"type":"ping","id":")" + std::string(129, 'x') + R"("})"), "id ");
  EXPECT_EQ(fault(R"({"type":"ping"} x)"), " ");
  for (const char* wrong : {"-1", "1.5", "1000000000", "\"1s\"", "1,\"timeout_ms\":1"}) {
    const std::string text = R"({"id":"x","type":"generate","timeout_ms":)" + std::string(wrong);
    EXPECT_EQ(fault(text + "}"), "timeout_ms x") << wrong;
  }
}

}  // namespace
}  // namespace cortex::frontend::openai
