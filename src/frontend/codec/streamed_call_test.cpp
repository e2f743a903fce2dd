// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/streamed_call.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend {
namespace {

using testing::FakeExchange;

GenerationOutput text(std::string text) {
  GenerationOutput out;
  out.text = std::move(text);
  return out;
}

// Writes "[source:text]", "(tokens)" at the end and "!why" for an error.
class PlainWriter final : public StreamWriter {
 public:
  [[nodiscard]] std::string_view content_type() const override { return "text/event-stream"; }
  [[nodiscard]] Status write(std::size_t source, ResponsePart&& part, std::string& out) override {
    const auto* const output = std::get_if<GenerationOutput>(&part);
    if (output == nullptr) return internal("not a generation");
    out.append("[" + std::to_string(source) + ":" + output->text + "]");
    return {};
  }
  void end(const Timings& timings, std::string& out) override {
    out.append("(" + std::to_string(timings.output_tokens) + ")");
  }
  void fail(const Status& status, std::string& out) override { out.append("!" + status.text()); }
  [[nodiscard]] std::string_view keep_alive() const override { return kEventKeepAlive; }
};

class PlainCollector final : public PartCollector {
 public:
  [[nodiscard]] Status take(std::size_t source, ResponsePart&& part) override {
    return writer_.write(source, std::move(part), body_);
  }
  [[nodiscard]] Result<HttpReply> reply(const Timings& timings) override {
    writer_.end(timings, body_);
    HttpReply reply;
    reply.body = body_;
    return reply;
  }

 private:
  PlainWriter writer_;
  std::string body_;
};

// A call of some requests whose streams the test plays.
struct Played {
  std::shared_ptr<FakeExchange> exchange = std::make_shared<FakeExchange>(HttpRequest());
  std::vector<std::shared_ptr<ResponseStream>> streams;
  Status refusal;  // of every request

  Submit submit() {
    return [this](const std::shared_ptr<const Request>&, std::shared_ptr<ResponseStream> stream) {
      if (!refusal.ok()) stream->finish(refusal);
      streams.push_back(std::move(stream));
    };
  }
  static Requests requests(std::size_t count) {
    auto request = std::make_shared<Request>();
    request->model.name = "m";
    return Requests(count, request);
  }
  Played& stream(std::size_t count = 1) {
    submit_streamed(submit(), exchange, requests(count), std::make_unique<PlainWriter>());
    return *this;
  }
  Played& collect(std::size_t count = 1) {
    submit_collected(submit(), exchange, requests(count), std::make_unique<PlainCollector>());
    return *this;
  }
  bool say(std::string what, std::size_t source = 0) {
    return streams.at(source)->write(text(std::move(what)));
  }
  void finish(Status status = {}, std::size_t source = 0) {
    Timings timings;
    timings.input_tokens = 3;
    timings.output_tokens = 2;
    timings.first_token = std::chrono::milliseconds(5 + source);
    streams.at(source)->set_served_by({"m", "1"});
    streams.at(source)->finish(std::move(status), timings);
  }
};

TEST(StreamedCall, writes_parts_as_they_come) {
  Played played;
  played.stream();
  EXPECT_FALSE(played.exchange->answered());
  EXPECT_TRUE(played.say("a"));
  ASSERT_TRUE(played.exchange->head().has_value());
  EXPECT_EQ(played.exchange->head()->content_type, "text/event-stream");
  EXPECT_EQ(played.exchange->streamed(), "[0:a]");
  EXPECT_TRUE(played.say("b"));
  EXPECT_FALSE(played.exchange->stream_ended());
  played.finish();
  EXPECT_EQ(played.exchange->streamed(), "[0:a][0:b](2)");
  EXPECT_TRUE(played.exchange->stream_ended());
}

TEST(StreamedCall, fills_the_record) {
  Played played;
  played.stream(2);
  EXPECT_EQ(played.exchange->record().model.name, "m");
  played.finish({}, 1);
  played.finish({}, 0);
  const RequestRecord& record = played.exchange->record();
  EXPECT_EQ(record.model.version, "1");
  EXPECT_EQ(record.timings.input_tokens, 6U);
  EXPECT_EQ(record.timings.output_tokens, 4U);
  EXPECT_EQ(record.timings.first_token, std::chrono::milliseconds(5));
  EXPECT_TRUE(record.status.ok());
}

TEST(StreamedCall, an_error_before_the_first_part_is_an_answer) {
  Played played;
  played.stream();
  played.finish(resource_exhausted("full"));
  EXPECT_EQ(played.exchange->failure().code(), Code::kResourceExhausted);
  EXPECT_FALSE(played.exchange->head().has_value());
}

TEST(StreamedCall, a_refusal_at_once_ends_the_call_and_nothing_more_is_submitted) {
  Played played;
  played.refusal = not_found("no such model");
  played.stream(3);
  EXPECT_EQ(played.exchange->failure().code(), Code::kNotFound);
  EXPECT_EQ(played.streams.size(), 1U);
}

TEST(StreamedCall, a_later_error_is_the_end_of_the_stream) {
  Played played;
  played.stream(2);
  EXPECT_TRUE(played.say("a", 1));
  played.finish(unavailable("gone"), 1);
  EXPECT_EQ(played.exchange->streamed(), "[1:a]!gone");
  EXPECT_TRUE(played.exchange->stream_ended());
  EXPECT_EQ(played.exchange->record().status.code(), Code::kUnavailable);
  EXPECT_TRUE(played.streams[0]->cancelled()) << "the others are of no use";
  played.finish(cancelled("left"), 0);
  EXPECT_EQ(played.exchange->streamed(), "[1:a]!gone");
}

TEST(StreamedCall, a_part_of_another_kind_is_our_fault) {
  Played played;
  played.stream();
  EXPECT_TRUE(played.streams[0]->write(EmbeddingOutput()));
  EXPECT_EQ(played.exchange->streamed(), "!Internal error.");
  EXPECT_TRUE(played.exchange->stream_ended());
  EXPECT_TRUE(played.streams[0]->cancelled());
  played.finish(cancelled("left"));
}

TEST(StreamedCall, reads_nothing_while_the_client_reads_slowly) {
  Played played;
  played.stream();
  played.exchange->set_room(1);
  EXPECT_TRUE(played.say("a"));
  EXPECT_TRUE(played.say("b"));  // read, and refused by the connection
  for (std::size_t i = 0; i < kUnreadPartsMax; ++i) EXPECT_TRUE(played.say("c"));
  EXPECT_FALSE(played.say("d")) << "the servable is told to wait";
  EXPECT_EQ(played.exchange->streamed(), "[0:a]");
  played.exchange->be_quiet();
  EXPECT_EQ(played.exchange->streamed(), "[0:a]");
  played.exchange->set_room(100);
  EXPECT_TRUE(played.exchange->streamed().starts_with("[0:a][0:b][0:c][0:c]"));
  EXPECT_TRUE(played.say("d"));
  played.finish();
  EXPECT_TRUE(played.exchange->streamed().ends_with("[0:c][0:d](2)"));
}

TEST(StreamedCall, the_end_waits_for_room_too) {
  Played played;
  played.stream();
  played.exchange->set_room(1);
  EXPECT_TRUE(played.say("a"));
  played.finish();
  EXPECT_FALSE(played.exchange->stream_ended());
  played.exchange->set_room(1);
  EXPECT_EQ(played.exchange->streamed(), "[0:a](2)");
  EXPECT_TRUE(played.exchange->stream_ended());
}

TEST(StreamedCall, says_that_it_lives_while_nothing_comes) {
  Played played;
  played.stream();
  played.exchange->be_quiet();
  EXPECT_EQ(played.exchange->streamed(), ": keep-alive\n\n");
  EXPECT_TRUE(played.say("a"));
  played.exchange->be_quiet();
  played.finish();
  played.exchange->be_quiet();
  EXPECT_EQ(played.exchange->streamed(), ": keep-alive\n\n[0:a]: keep-alive\n\n(2)");
}

TEST(StreamedCall, an_error_behind_a_keep_alive_is_the_end_of_the_stream) {
  Played played;
  played.stream();
  played.exchange->be_quiet();
  played.finish(deadline_exceeded("too late"));
  EXPECT_EQ(played.exchange->streamed(), ": keep-alive\n\n!too late");
  EXPECT_TRUE(played.exchange->stream_ended());
}

TEST(StreamedCall, a_client_that_leaves_cancels_at_once_and_the_record_waits_for_the_cost) {
  Played played;
  played.stream(2);
  EXPECT_TRUE(played.say("a"));
  played.exchange->disconnect();
  EXPECT_TRUE(played.streams[0]->cancelled());
  EXPECT_TRUE(played.streams[1]->cancelled());
  EXPECT_FALSE(played.exchange->stream_ended());
  played.finish(cancelled("left"), 0);
  EXPECT_TRUE(played.exchange->stream_ended());
  EXPECT_EQ(played.exchange->record().timings.output_tokens, 2U);
  played.finish(cancelled("left"), 1);
}

TEST(StreamedCall, a_client_that_leaves_before_the_first_part_is_answered_all_the_same) {
  Played played;
  played.stream();
  played.exchange->disconnect();
  EXPECT_FALSE(played.exchange->answered());
  played.finish(cancelled("left"));
  EXPECT_EQ(played.exchange->failure().code(), Code::kCancelled);
}

TEST(StreamedCall, a_client_that_leaves_while_it_is_waited_for_ends_the_call) {
  Played played;
  played.stream();
  played.exchange->set_room(1);
  EXPECT_TRUE(played.say("a"));
  EXPECT_TRUE(played.say("b"));
  played.finish();
  played.exchange->disconnect();
  EXPECT_TRUE(played.exchange->stream_ended());
  EXPECT_EQ(played.exchange->streamed(), "[0:a]");
}

TEST(StreamedCall, nothing_is_kept_once_it_is_over) {
  Played played;
  played.stream(2);
  EXPECT_TRUE(played.say("a", 1));
  played.finish({}, 0);
  played.finish({}, 1);
  const std::weak_ptr<Exchange> exchange = played.exchange;
  played.exchange->disconnect();  // lets go of what the server would let go of
  played.exchange.reset();
  EXPECT_TRUE(exchange.expired());
}

TEST(CollectedCall, answers_with_all_parts) {
  Played played;
  played.collect(2);
  EXPECT_TRUE(played.say("a", 1));
  EXPECT_TRUE(played.say("b", 0));
  played.finish({}, 1);
  EXPECT_FALSE(played.exchange->answered());
  played.finish({}, 0);
  EXPECT_EQ(played.exchange->bytes(), "[1:a][0:b](4)");
  EXPECT_EQ(played.exchange->record().timings.input_tokens, 6U);
}

TEST(CollectedCall, an_error_takes_the_place_of_all_parts) {
  Played played;
  played.collect(2);
  EXPECT_TRUE(played.say("a", 1));
  played.finish(unavailable("gone"), 0);
  EXPECT_EQ(played.exchange->failure().text(), "gone");
  EXPECT_TRUE(played.streams[1]->cancelled());
  played.finish(cancelled("left"), 1);
}

TEST(CollectedCall, an_answer_above_the_bound_is_refused_and_cancelled) {
  Played played;
  played.collect();
  const std::string mebibyte(1U << 20U, 'x');
  for (std::size_t i = 0; i < kCollectedBytesMax / mebibyte.size(); ++i) {
    ASSERT_TRUE(played.say(mebibyte));
  }
  EXPECT_FALSE(played.exchange->answered());
  EXPECT_TRUE(played.say("x"));
  EXPECT_EQ(
      played.exchange->failure().text(),
      "the answer has grown above 67108864 bytes: ask for less, or stream it"
  );
  EXPECT_TRUE(played.streams[0]->cancelled());
  played.finish(cancelled("left"));
}

TEST(CollectedCall, a_client_that_leaves_cancels) {
  Played played;
  played.collect();
  played.exchange->disconnect();
  EXPECT_TRUE(played.streams[0]->cancelled());
  played.finish(cancelled("left"));
  EXPECT_EQ(played.exchange->failure().code(), Code::kCancelled);
}

TEST(CollectedCall, a_client_that_left_gets_no_answer_even_if_there_is_one) {
  Played played;
  played.collect();
  played.exchange->disconnect();
  played.finish();
  EXPECT_EQ(played.exchange->failure().code(), Code::kCancelled);
  EXPECT_EQ(played.exchange->record().timings.output_tokens, 2U);
}

}  // namespace
}  // namespace cortex::frontend
