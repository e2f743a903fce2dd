// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/sequence_text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_sequences.h"

namespace cortex::backend {
namespace {

class SequenceTextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto backend = SyntheticSequences::make({});
    ASSERT_TRUE(backend.ok());
    backend_ = std::move(*backend);
    plan_.reply = text::ReplyParserOptions{};
  }

  static SampledToken byte(char c, float logprob = -1) {
    SampledToken out;
    out.token = static_cast<unsigned char>(c);
    out.logprob = logprob;
    return out;
  }

  // Says a text byte by byte; the joined output.
  GenerationOutput say(std::string_view text, FinishReason end = FinishReason::kStop) {
    SequenceText sequence(plan_, backend_->vocabulary());
    GenerationOutput out;
    for (const char c : text) sequence.add(byte(c), out);
    sequence.end(end, out);
    EXPECT_TRUE(sequence.ended());
    return out;
  }

  std::unique_ptr<SyntheticSequences> backend_;
  TextPlan plan_;
};

TEST_F(SequenceTextTest, tokens_become_text_and_an_end) {
  const auto out = say("Grüße");
  EXPECT_EQ(out.text, "Grüße");
  EXPECT_EQ(out.finish, FinishReason::kStop);
  EXPECT_EQ(out.stop, "");
  EXPECT_EQ(say("ab", FinishReason::kLength).finish, FinishReason::kLength);
}

TEST_F(SequenceTextTest, a_stop_string_ends_it_whatever_the_lane_says_later) {
  plan_.stop = {"END"};
  const auto out = say("one END two", FinishReason::kLength);
  EXPECT_EQ(out.text, "one ");
  EXPECT_EQ(out.finish, FinishReason::kStop);
  EXPECT_EQ(out.stop, "END");
}

TEST_F(SequenceTextTest, what_was_held_back_comes_with_the_end) {
  plan_.stop = {"END"};
  const auto out = say("one EN");
  EXPECT_EQ(out.text, "one EN");
  EXPECT_EQ(out.stop, "");
}

TEST_F(SequenceTextTest, tokens_come_with_the_text_they_are_of) {
  plan_.stop = {"END"};
  plan_.logprobs = true;
  SequenceText sequence(plan_, backend_->vocabulary());
  GenerationOutput out;
  for (const char c : std::string("aEN")) sequence.add(byte(c), out);
  EXPECT_EQ(out.tokens.size(), 1u);
  sequence.add(byte('D'), out);
  EXPECT_EQ(out.tokens.size(), 1u);  // those of the stop string are none of the text
  EXPECT_EQ(out.tokens[0].bytes, "a");
  EXPECT_EQ(out.tokens[0].logprob, -1);
  EXPECT_EQ(sequence.tokens(), 4u);
  const auto whole = say("aEN");
  EXPECT_EQ(whole.tokens.size(), 3u);
}

// The bytes of the tokens that came, each where its text is.
std::string bytes_of(const GenerationOutput& out) {
  std::string all;
  for (const TokenText& token : out.tokens) all += token.bytes;
  return all;
}

TEST_F(SequenceTextTest, tokens_are_those_of_the_text_alone) {
  plan_.logprobs = true;
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  const std::string call = R"(<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>)";
  EXPECT_EQ(bytes_of(say(" <think>\nab c\n</think>\n\nhi there")), "hi there");
  EXPECT_EQ(bytes_of(say("I <look>. " + call + "\nDöne.")), "I <look>. Döne.");
  EXPECT_EQ(bytes_of(say("<tool_call>f(x)" + call)), "<tool_call>f(x)");
  EXPECT_EQ(bytes_of(say("<think>only this", FinishReason::kLength)), "");
  EXPECT_EQ(bytes_of(say("<tool_call>{\"na", FinishReason::kLength)), "<tool_call>{\"na");
  plan_.calls_alone = true;
  EXPECT_EQ(bytes_of(say("<tool_call>{\"na", FinishReason::kLength)), "");
  plan_.calls_alone = false;
  // They come with their text, not before it.
  SequenceText sequence(plan_, backend_->vocabulary());
  GenerationOutput out;
  for (const char c : std::string("<think>a</think>x<tool")) sequence.add(byte(c), out);
  EXPECT_EQ(out.text, "x");
  EXPECT_EQ(bytes_of(out), "x");
  sequence.end(FinishReason::kLength, out);
  EXPECT_EQ(bytes_of(out), "x<tool");
}

TEST_F(SequenceTextTest, tokens_of_a_broken_character_are_of_the_text_that_shows_it) {
  plan_.logprobs = true;
  const auto out =
      say("<think>\xc3</think>a\xc3"
          "b\xe2\x82");
  EXPECT_EQ(out.reasoning, "\uFFFD");
  EXPECT_EQ(
      out.text,
      "a\uFFFD"
      "b\uFFFD"
  );
  EXPECT_EQ(
      bytes_of(out),
      "a\xc3"
      "b\xe2\x82"
  );
}

TEST_F(SequenceTextTest, a_token_without_a_text_is_of_what_stands_beside_it) {
  plan_.logprobs = true;
  SampledToken silent;
  silent.token = 258;
  const auto count = [&](std::string_view before, std::string_view behind) {
    SequenceText sequence(plan_, backend_->vocabulary());
    GenerationOutput out;
    for (const char c : before) sequence.add(byte(c), out);
    sequence.add(silent, out);
    for (const char c : behind) sequence.add(byte(c), out);
    sequence.end(FinishReason::kLength, out);
    return out.tokens.size();
  };
  EXPECT_EQ(count("ab", "c"), 4u);
  EXPECT_EQ(count("ab", ""), 3u);
  EXPECT_EQ(count("<think>ab", "c</think>d"), 1u);
  EXPECT_EQ(count("<think>ab", ""), 0u);
  plan_.reply.reset();
  EXPECT_EQ(count("", ""), 1u);
}

TEST_F(SequenceTextTest, reasoning_is_told_apart) {
  const auto out = say("<think>hm, 2+2</think>4");
  EXPECT_EQ(out.reasoning, "hm, 2+2");
  EXPECT_EQ(out.text, "4");
}

TEST_F(SequenceTextTest, a_call_is_a_call_and_the_reason_of_the_end) {
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  const auto out = say(R"(<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>)");
  ASSERT_EQ(out.tool_calls.size(), 1u);
  EXPECT_EQ(out.tool_calls[0].name, "add");
  EXPECT_EQ(out.tool_calls[0].arguments, R"({"a": 1})");
  EXPECT_EQ(out.tool_calls[0].id.substr(0, 5), "call_");
  EXPECT_EQ(out.finish, FinishReason::kToolCalls);
  EXPECT_EQ(say("no call").finish, FinishReason::kStop);
}

TEST_F(SequenceTextTest, where_one_call_was_asked_for_the_second_ends_it) {
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  const std::string call = R"(<tool_call>{"name": "add", "arguments": {}}</tool_call>)";
  EXPECT_EQ(say(call + "\n" + call).tool_calls.size(), 2u);
  plan_.parallel_calls = false;
  const auto out = say(call + "\n" + call);
  EXPECT_EQ(out.tool_calls.size(), 1u);
  EXPECT_EQ(out.finish, FinishReason::kToolCalls);
}

TEST_F(SequenceTextTest, a_stop_string_inside_a_call_is_the_reason_of_the_end) {
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  plan_.stop = {"Par"};
  const std::string_view call =
      R"(<tool_call>{"name": "add", "arguments": {"city": "Paris"}}</tool_call>)";
  const auto out = say(call);
  EXPECT_EQ(out.finish, FinishReason::kStop);
  EXPECT_EQ(out.stop, "Par");
  ASSERT_EQ(out.tool_calls.size(), 1u);
  EXPECT_EQ(out.tool_calls[0].arguments, R"({"city": ")");
  // The first is whole, the second is not.
  EXPECT_EQ(
      say(R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)" + std::string(call)).finish,
      FinishReason::kStop
  );
}

TEST_F(SequenceTextTest, a_stop_string_behind_calls_leaves_them_the_reason) {
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  for (const std::string stop : {"}</tool", "</tool_call>", "END"}) {
    plan_.stop = {stop};
    const auto out = say(R"(<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call> END)");
    EXPECT_EQ(out.finish, FinishReason::kToolCalls) << stop;
    EXPECT_EQ(out.stop, "") << stop;
    ASSERT_EQ(out.tool_calls.size(), 1u) << stop;
    EXPECT_EQ(out.tool_calls[0].arguments, R"({"a": 1})") << stop;
  }
}

TEST_F(SequenceTextTest, a_call_that_the_model_broke_off_is_not_the_reason) {
  plan_.reply->format = text::ReplyFormat::kHermes;
  plan_.reply->tools = true;
  const std::string broken = R"(<tool_call>{"name": "f", "arguments": {"a": [1)";
  EXPECT_EQ(say(broken).finish, FinishReason::kStop);
  EXPECT_EQ(say(broken, FinishReason::kLength).finish, FinishReason::kLength);
  // Where one call is wanted, the one behind it ends the answer as this one stands.
  plan_.parallel_calls = false;
  const std::string next = R"(}}<tool_call>{"name": "g", "arguments": {}}</tool_call>)";
  EXPECT_EQ(say(broken + next).finish, FinishReason::kStop);
  EXPECT_EQ(say(broken + "]" + next).finish, FinishReason::kToolCalls);
}

TEST_F(SequenceTextTest, what_a_call_that_must_be_made_was_begun_with_is_no_text) {
  plan_.reply->tools = true;
  const std::pair<text::ReplyFormat, std::string> calls[] = {
      {text::ReplyFormat::kHermes, R"(<tool_call>{"name": "f", "arguments": {)"},
      {text::ReplyFormat::kSmolLm, R"(<tool_call>[{"name": "f", "arguments": {)"},
      {text::ReplyFormat::kLlama3, R"({"name": "f", "parameters": {)"},
      {text::ReplyFormat::kMistral, R"([TOOL_CALLS]f[ARGS]{)"},
  };
  for (const auto& [format, call] : calls) {
    plan_.reply->format = format;
    for (std::size_t size = 0; size < call.size(); ++size) {
      const std::string begun = call.substr(0, size);
      plan_.calls_alone = false;
      EXPECT_EQ(say(begun, FinishReason::kLength).text, begun);
      plan_.calls_alone = true;
      const auto out = say("<think>hm</think>" + begun, FinishReason::kLength);
      EXPECT_EQ(out.text, "") << begun;
      EXPECT_EQ(out.reasoning, "hm") << begun;
      EXPECT_TRUE(out.tool_calls.empty()) << begun;
      EXPECT_EQ(out.finish, FinishReason::kLength) << begun;
    }
    const auto out = say(call, FinishReason::kLength);
    ASSERT_EQ(out.tool_calls.size(), 1u);
    EXPECT_EQ(out.tool_calls[0].arguments, "{");
  }
  // Nor is what follows a call, up to the next.
  plan_.reply->format = text::ReplyFormat::kSmolLm;
  const std::string whole = R"(<tool_call>[{"name": "f", "arguments": {}})";
  for (const std::string_view rest : {"]</tool_c", R"(, {"name": "g)"}) {
    const auto out = say(whole + std::string(rest), FinishReason::kLength);
    EXPECT_EQ(out.text, "") << rest;
    EXPECT_EQ(out.tool_calls.size(), 1u) << rest;
  }
}

TEST_F(SequenceTextTest, without_a_parser_marks_are_text) {
  plan_.reply.reset();
  EXPECT_EQ(say("<think>x</think>").text, "<think>x</think>");
}

TEST_F(SequenceTextTest, special_tokens_are_silent_unless_they_may_be_marks) {
  SampledToken special;
  special.token = 258;
  for (const bool wanted : {false, true}) {
    plan_.marks.assign(wanted ? 1 : 0, special.token);
    SequenceText sequence(plan_, backend_->vocabulary());
    GenerationOutput out;
    sequence.add(special, out);
    sequence.end(FinishReason::kStop, out);
    EXPECT_EQ(out.text.empty(), !wanted);
  }
}

TEST_F(SequenceTextTest, the_mean_is_over_the_tokens) {
  SequenceText sequence(plan_, backend_->vocabulary());
  GenerationOutput out;
  EXPECT_EQ(sequence.mean_logprob(), 0);
  sequence.add(byte('a', -1), out);
  sequence.add(byte('b', -3), out);
  EXPECT_DOUBLE_EQ(sequence.mean_logprob(), -2);
}

}  // namespace
}  // namespace cortex::backend
