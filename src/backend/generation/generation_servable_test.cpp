// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/generation_servable.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_sequences.h"
#include "base/mutex.h"
#include "request/sequence_ends.h"

namespace cortex::backend {
namespace {

// A lane that does what the test says: what reached it is kept, what it answers is written by hand.
struct LaneScript {
  struct Inside {
    std::shared_ptr<const Request> request;
    std::shared_ptr<ResponseStream> stream;
    bool finished = false;
  };
  std::vector<Inside> inside;  // of another thread up to `entered`
  std::atomic<std::size_t> entered{0};
  Status refuse;  // what submit answers at once
};

class ScriptedLane final : public Servable {
 public:
  explicit ScriptedLane(std::shared_ptr<LaneScript> script) : script_(std::move(script)) {}
  ~ScriptedLane() override {
    for (auto& one : script_->inside) {
      if (!one.finished) one.stream->finish(unavailable("the lane ends"));
    }
  }
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override {
    if (!script_->refuse.ok()) return stream->finish(script_->refuse);
    script_->inside.push_back({std::move(request), std::move(stream)});
    ++script_->entered;
  }

 private:
  std::shared_ptr<LaneScript> script_;
};

struct Answer {
  explicit Answer(std::size_t capacity = 100)
      : stream(std::make_shared<ResponseStream>(capacity)) {}

  // All that can be read, joined by sequence.
  std::vector<GenerationOutput> read() {
    while (auto part = stream->read()) {
      auto& from = std::get<GenerationOutput>(*part);
      ++parts;
      if (from.sequence >= joined.size()) joined.resize(from.sequence + 1);
      GenerationOutput& to = joined[from.sequence];
      to.text += from.text;
      to.reasoning += from.reasoning;
      to.tokens.insert(to.tokens.end(), from.tokens.begin(), from.tokens.end());
      for (auto& call : from.tool_calls) to.tool_calls.push_back(call);
      if (from.finish != FinishReason::kNone) to.finish = from.finish;
      if (!from.stop.empty()) to.stop = from.stop;
      to.input_tokens = from.input_tokens;
      to.output_tokens = from.output_tokens;
    }
    return joined;
  }

  std::shared_ptr<ResponseStream> stream;
  std::vector<GenerationOutput> joined;
  std::size_t parts = 0;
};

class GenerationServableTest : public ::testing::Test {
 protected:
  void SetUp() override { build(); }

  void build(SyntheticSequences::Keys keys = {}, SequenceControls* controls = nullptr) {
    auto backend = SyntheticSequences::make(keys);
    ASSERT_TRUE(backend.ok());
    GenerationParts parts;
    parts.backend = std::move(*backend);
    const std::string& jinja = parts.backend->model().chat_template;
    if (!jinja.empty()) {
      auto compiled = text::ChatTemplate::compile(jinja, "<|begin|>", "<|end|>");
      ASSERT_TRUE(compiled.ok()) << compiled.status().to_string();
      parts.chat_template = std::move(*compiled);
    }
    parts.lane = std::make_unique<ScriptedLane>(lane_);
    parts.controls = controls;
    parts.cpu = &cpu_;
    auto made = GenerationServable::make(std::move(parts));
    ASSERT_TRUE(made.ok());
    servable_ = std::move(*made);
  }

  static std::shared_ptr<Request> prompt(const std::string& text) {
    GenerationInput input;
    input.prompt = Prompt{text, {}, false};
    auto out = std::make_shared<Request>();
    out->input = std::move(input);
    return out;
  }
  static std::shared_ptr<Request> chat(const std::string& text) {
    Conversation conversation;
    conversation.messages.emplace_back();
    conversation.messages.back().content = text;
    GenerationInput input;
    input.prompt = std::move(conversation);
    auto out = std::make_shared<Request>();
    out->input = std::move(input);
    return out;
  }
  static GenerationInput& input_of(Request& request) {
    return std::get<GenerationInput>(request.input);
  }
  Answer submit(std::shared_ptr<Request> request, std::size_t capacity = 100) {
    Answer out(capacity);
    servable_->submit(std::move(request), out.stream);
    return out;
  }
  Status refused(std::shared_ptr<Request> request) {
    Answer answer = submit(std::move(request));
    EXPECT_TRUE(answer.stream->finished());
    return answer.stream->finished() ? answer.stream->status() : Status();
  }

  const SequenceInput& lane_input(std::size_t index = 0) const {
    return std::get<SequenceInput>(lane_->inside.at(index).request->input);
  }
  static TokenOutput output(
      const std::string& text, FinishReason finish = FinishReason::kNone, std::uint32_t sequence = 0
  ) {
    TokenOutput out;
    out.sequence = sequence;
    for (const char c : text) {
      SampledToken token;
      token.token = static_cast<unsigned char>(c);
      token.logprob = -1;
      out.tokens.push_back(token);
    }
    out.finish = finish;
    return out;
  }
  bool lane_says(TokenOutput what) {
    return lane_->inside.front().stream->write(ResponsePart(std::move(what)));
  }
  void lane_ends(Status status = {}) {
    Timings timings;
    timings.cached_tokens = 3;
    lane_->inside.front().finished = true;
    lane_->inside.front().stream->finish(std::move(status), timings);
  }

  std::string prompt_text(std::size_t index = 0) const {
    std::string out;
    for (const Token token : lane_input(index).prompt) {
      out += token < 256 ? std::string(1, static_cast<char>(token)) : "|" + std::to_string(token);
    }
    return out;
  }

  ThreadPool cpu_{"cpu", 1, 8};
  std::shared_ptr<LaneScript> lane_ = std::make_shared<LaneScript>();
  std::unique_ptr<GenerationServable> servable_;
};

TEST_F(GenerationServableTest, a_prompt_goes_to_the_lane_as_tokens_and_comes_back_as_text) {
  auto request = prompt("ab");
  input_of(*request).tokens_max = 5;
  input_of(*request).cache_salt = "salt";
  input_of(*request).draft_tokens_max = 3;
  request->deadline = TimePoint(std::chrono::hours(1));
  Answer answer = submit(request);
  ASSERT_EQ(lane_->inside.size(), 1u);
  EXPECT_EQ(prompt_text().substr(prompt_text().size() - 2), "ab");
  EXPECT_EQ(lane_input().tokens_max, 5u);
  EXPECT_EQ(lane_input().cache_salt, "salt");
  EXPECT_EQ(lane_input().draft_tokens_max, 3u);
  EXPECT_EQ(lane_->inside[0].request->deadline, request->deadline);
  EXPECT_TRUE(lane_says(output("hello")));
  EXPECT_EQ(answer.read().at(0).text, "hello");
  EXPECT_EQ(answer.joined[0].input_tokens, lane_input().prompt.size());
  EXPECT_EQ(answer.joined[0].output_tokens, 5u);
  EXPECT_TRUE(lane_says(output(" world", FinishReason::kLength)));
  lane_ends();
  EXPECT_EQ(answer.read().at(0).text, "hello world");
  EXPECT_EQ(answer.joined[0].output_tokens, 11u);
  ASSERT_TRUE(answer.stream->finished());
  EXPECT_TRUE(answer.stream->status().ok());
  EXPECT_EQ(answer.joined[0].finish, FinishReason::kLength);
  EXPECT_EQ(answer.stream->timings().input_tokens, lane_input().prompt.size());
  EXPECT_EQ(answer.stream->timings().output_tokens, 11u);
  EXPECT_EQ(answer.stream->timings().cached_tokens, 3u);
}

TEST_F(GenerationServableTest, a_conversation_goes_through_the_model_s_template) {
  Answer answer = submit(chat("hi"));
  ASSERT_EQ(lane_->inside.size(), 1u);
  EXPECT_NE(prompt_text().find("|258user\nhi|259"), std::string::npos) << prompt_text();
  EXPECT_TRUE(prompt_text().ends_with("assistant\n")) << prompt_text();
  lane_ends(unavailable("gone"));
  EXPECT_EQ(answer.stream->status().code(), Code::kUnavailable);
}

TEST_F(GenerationServableTest, a_model_without_a_template_takes_prompts_alone) {
  build({{"chat_template", "none"}});
  EXPECT_EQ(refused(chat("hi")).code(), Code::kUnimplemented);
}

TEST_F(GenerationServableTest, a_prompt_beyond_the_context_is_refused_with_the_counts) {
  build({{"context_length", "32"}});
  const Status status = refused(prompt(std::string(40, 'a')));
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.reason(), "context_length_exceeded");
  EXPECT_EQ(status.field(), "prompt");
  EXPECT_NE(status.text().find("32 tokens"), std::string::npos) << status.text();
  EXPECT_NE(status.text().find('4'), std::string::npos);
  Answer fits = submit(prompt(std::string(20, 'a')));
  EXPECT_EQ(lane_input().tokens_max, 32 - lane_input().prompt.size());
}

TEST_F(GenerationServableTest, tokens_outside_the_vocabulary_are_refused) {
  auto request = prompt("");
  input_of(*request).prompt = Prompt{"", {5, 70000}, false};
  EXPECT_EQ(refused(request).field(), "prompt");
  request = prompt("x");
  input_of(*request).sampling.logit_bias = {{-4, 1.0F}};
  EXPECT_EQ(refused(request).field(), "logit_bias");
}

TEST_F(GenerationServableTest, the_lane_s_refusal_is_the_answer) {
  lane_->refuse = resource_exhausted("full");
  EXPECT_EQ(refused(prompt("x")).code(), Code::kResourceExhausted);
}

TEST_F(GenerationServableTest, a_stop_string_of_the_last_sequence_ends_the_lane_s_request) {
  auto request = prompt("x");
  input_of(*request).stop = {"END"};
  input_of(*request).sequences = 2;
  Answer answer = submit(request);
  EXPECT_EQ(lane_input().sequences, 2u);
  EXPECT_TRUE(lane_says(output("one END more", FinishReason::kNone, 0)));
  EXPECT_FALSE(lane_->inside[0].stream->cancelled());
  ASSERT_TRUE(lane_input().ends);
  EXPECT_TRUE(lane_input().ends->ended(0)) << "the lane need not go on with it";
  EXPECT_FALSE(lane_input().ends->ended(1));
  EXPECT_TRUE(lane_says(output("two EN", FinishReason::kNone, 1)));
  EXPECT_TRUE(lane_says(output("D", FinishReason::kNone, 1)));
  EXPECT_TRUE(lane_->inside[0].stream->cancelled());
  lane_ends(cancelled("the client left"));
  const auto all = answer.read();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "one ");
  EXPECT_EQ(all[0].stop, "END");
  EXPECT_EQ(all[1].text, "two ");
  EXPECT_TRUE(answer.stream->status().ok()) << answer.stream->status().to_string();
  EXPECT_EQ(answer.stream->timings().output_tokens, 7u + 7u);
}

TEST_F(
    GenerationServableTest, a_sequence_that_ended_by_a_stop_string_may_end_in_the_lane_at_any_time
) {
  auto request = prompt("x");
  input_of(*request).stop = {"END"};
  input_of(*request).sequences = 2;
  Answer answer = submit(request);
  EXPECT_TRUE(lane_says(output("one END", FinishReason::kNone, 0)));
  EXPECT_TRUE(lane_says(output("more", FinishReason::kStop, 0)));
  EXPECT_TRUE(lane_says(output("two", FinishReason::kLength, 1)));
  lane_ends();
  const auto all = answer.read();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "one ");
  EXPECT_EQ(all[0].finish, FinishReason::kStop);
  EXPECT_EQ(all[1].text, "two");
  EXPECT_EQ(all[1].finish, FinishReason::kLength);
  EXPECT_TRUE(answer.stream->status().ok());
}

TEST_F(
    GenerationServableTest, parts_are_joined_while_the_reader_is_slow_and_the_lane_waits_at_last
) {
  auto request = prompt("x");
  Answer answer = submit(request, 1);
  std::size_t written = 0;
  while (written < 10'000 && lane_says(output("y"))) ++written;
  EXPECT_GE(written, 256u);
  EXPECT_LT(written, 400u);  // joined up to a bound, and then the lane's stream is full
  EXPECT_EQ(answer.read().at(0).text.size(), written);
  EXPECT_LT(answer.parts, 20u);
  EXPECT_TRUE(lane_says(output("z", FinishReason::kStop)));
  lane_ends();
  EXPECT_EQ(answer.read().at(0).text.size(), written + 1);
  EXPECT_TRUE(answer.stream->finished());
}

TEST_F(GenerationServableTest, the_end_waits_for_what_a_slow_reader_has_not_read) {
  Answer answer = submit(prompt("x"), 1);
  EXPECT_TRUE(lane_says(output("a")));
  EXPECT_TRUE(lane_says(output("b", FinishReason::kStop)));
  lane_ends();
  EXPECT_FALSE(answer.stream->finished());
  EXPECT_EQ(answer.read().at(0).text, "ab");
  EXPECT_TRUE(answer.stream->finished());
}

TEST_F(GenerationServableTest, who_leaves_cancels_the_lane_s_request) {
  Answer answer = submit(prompt("x"), 1);
  EXPECT_TRUE(lane_says(output("a")));
  answer.stream->cancel();
  EXPECT_TRUE(lane_->inside[0].stream->cancelled());
  lane_ends(cancelled("the client left"));
  static_cast<void>(answer.stream->read());
  ASSERT_TRUE(answer.stream->finished());
  EXPECT_EQ(answer.stream->status().code(), Code::kCancelled);
}

TEST_F(GenerationServableTest, an_error_behind_the_first_part_ends_the_stream) {
  Answer answer = submit(prompt("x"));
  EXPECT_TRUE(lane_says(output("a")));
  lane_ends(internal("the engine failed"));
  EXPECT_EQ(answer.read().at(0).text, "a");
  EXPECT_EQ(answer.stream->status().code(), Code::kInternal);
}

TEST_F(GenerationServableTest, a_lane_that_ends_early_is_no_success) {
  Answer answer = submit(prompt("x"));
  EXPECT_TRUE(lane_says(output("a")));
  lane_ends();
  answer.read();
  EXPECT_EQ(answer.stream->status().code(), Code::kInternal);
}

TEST_F(GenerationServableTest, echo_begins_with_the_prompt_and_its_probabilities) {
  auto request = prompt("ab");
  std::get<Prompt>(input_of(*request).prompt).echo = true;
  input_of(*request).top_logprobs = 1;
  input_of(*request).sequences = 2;
  Answer answer = submit(request);
  EXPECT_TRUE(lane_input().prompt_logprobs);
  EXPECT_TRUE(lane_says(output("y", FinishReason::kStop, 1)));
  EXPECT_TRUE(answer.read().empty());  // the prompt's come first
  TokenOutput first = output("x", FinishReason::kStop);
  for (std::size_t i = 1; i < lane_input().prompt.size(); ++i) {
    SampledToken token;
    token.token = lane_input().prompt[i];
    token.logprob = -2;
    first.prompt.push_back(token);
  }
  EXPECT_TRUE(lane_says(std::move(first)));
  lane_ends();
  const auto all = answer.read();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "abx");
  EXPECT_EQ(all[1].text, "aby");
  for (const auto& one : all) {
    ASSERT_EQ(one.tokens.size(), lane_input().prompt.size() + 1);
    EXPECT_TRUE(std::isnan(one.tokens.front().logprob));
    EXPECT_EQ(one.tokens[1].logprob, -2);
  }
}

TEST_F(GenerationServableTest, of_several_the_likeliest_are_given) {
  auto request = prompt("x");
  input_of(*request).best_of = 3;
  Answer answer = submit(request);
  EXPECT_EQ(lane_input().sequences, 3u);
  EXPECT_TRUE(lane_input().top_logprobs.has_value());
  for (std::uint32_t i = 0; i < 3; ++i) {
    TokenOutput out = output(std::string(1, static_cast<char>('a' + i)), FinishReason::kStop, i);
    out.tokens[0].logprob = i == 1 ? -0.5F : -2.0F;
    EXPECT_TRUE(lane_says(std::move(out)));
  }
  lane_ends();
  const auto all = answer.read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].text, "b");
  EXPECT_EQ(all[0].output_tokens, 1u);
  EXPECT_TRUE(all[0].tokens.empty());
}

TEST_F(GenerationServableTest, a_form_of_the_answer_becomes_a_constraint) {
  auto request = prompt("x");
  input_of(*request).format = {OutputFormat::Kind::kChoice, "", {"yes", "no"}};
  Answer answer = submit(request);
  while (!answer.stream->finished() && lane_->entered == 0) std::this_thread::yield();
  ASSERT_EQ(lane_->inside.size(), 1u) << answer.stream->status().to_string();
  ASSERT_TRUE(lane_input().constraint);
  std::vector<std::uint32_t> mask(9);
  const auto constraint = lane_input().constraint->fork();
  ASSERT_TRUE(constraint->allow(mask).ok());
  const auto allowed = [&](char c) {
    const auto index = static_cast<unsigned char>(c);
    return ((mask[index / 32u] >> (index % 32u)) & 1u) != 0;
  };
  EXPECT_TRUE(allowed('y'));
  EXPECT_TRUE(allowed('n'));
  EXPECT_FALSE(allowed('a'));
}

TEST_F(GenerationServableTest, a_grammar_that_is_none_is_refused_with_the_field) {
  auto request = prompt("x");
  input_of(*request).format = {OutputFormat::Kind::kLark, "start: (", {}, "guided_grammar"};
  Answer answer = submit(request);
  while (!answer.stream->finished()) std::this_thread::yield();
  EXPECT_EQ(answer.stream->status().code(), Code::kInvalidArgument);
  EXPECT_EQ(answer.stream->status().field(), "guided_grammar");
}

TEST_F(GenerationServableTest, a_call_that_must_be_made_needs_a_tool) {
  auto request = chat("x");
  std::get<Conversation>(input_of(*request).prompt).tool_choice = ToolChoice::kRequired;
  Answer answer = submit(request);
  while (!answer.stream->finished()) std::this_thread::yield();
  EXPECT_EQ(answer.stream->status().field(), "tool_choice");
}

// Whether the constraint takes the text, byte for byte, and the end behind it.
bool takes(const TokenConstraint& constraint, std::string_view text) {
  const auto held = constraint.fork();
  const auto allows = [&](Token token) {
    std::vector<std::uint32_t> mask(9);
    EXPECT_TRUE(held->allow(mask).ok());
    const auto bit = static_cast<std::size_t>(token);
    return (mask[bit / 32] >> (bit % 32) & 1U) != 0;
  };
  for (const char c : text) {
    const Token token = static_cast<unsigned char>(c);
    if (!allows(token) || !held->accept(token).ok()) return false;
  }
  return allows(257);
}

TEST_F(GenerationServableTest, a_thought_that_the_prompt_began_comes_before_the_form) {
  build({{"chat_template", "{{ messages[0].content }}<think>"}});
  auto request = chat("x");
  input_of(*request).format = {OutputFormat::Kind::kChoice, "", {"yes", "no"}};
  const Answer answer = submit(request);
  while (lane_->entered == 0) std::this_thread::yield();
  const auto constraint = lane_input().constraint;
  ASSERT_TRUE(constraint);
  EXPECT_TRUE(takes(*constraint, "Hm < 3.</think>yes"));
  EXPECT_FALSE(takes(*constraint, "yes"));
  EXPECT_FALSE(takes(*constraint, "Hm.</think>perhaps"));
}

constexpr const char* kCityTool = R"({"type":"object","properties":{"city":{"type":"string"}},
  "required":["city"],"additionalProperties":false})";

TEST_F(GenerationServableTest, a_strict_tool_holds_the_calls_beside_text_to_its_schema) {
  std::size_t asked = 0;
  const auto ask = [&](bool strict, bool parallel) {
    auto request = chat("x");
    auto& conversation = std::get<Conversation>(input_of(*request).prompt);
    conversation.tools.emplace_back();
    conversation.tools.back().name = "weather";
    conversation.tools.back().parameters = kCityTool;
    conversation.tools.back().strict = strict;
    conversation.parallel_tool_calls = parallel;
    const Answer answer = submit(request);
    while (lane_->entered == asked) std::this_thread::yield();
    return lane_input(asked++).constraint;
  };
  const std::string call =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Ulm\"}}\n</tool_call>";
  std::string wrong = call;
  wrong.replace(wrong.find("city"), 4, "town");
  EXPECT_FALSE(ask(false, true));
  const auto many = ask(true, true);
  ASSERT_TRUE(many);
  EXPECT_TRUE(takes(*many, "It rains."));
  EXPECT_TRUE(takes(*many, call));
  EXPECT_TRUE(takes(*many, "Let me see. " + call + "\n" + call + " Done."));
  EXPECT_FALSE(takes(*many, wrong));
  EXPECT_FALSE(takes(*many, call.substr(0, 40)));
  const auto one = ask(true, false);
  EXPECT_TRUE(takes(*one, "Let me see. " + call));
  EXPECT_FALSE(takes(*one, call + call));
}

TEST_F(GenerationServableTest, a_tool_whose_schema_is_not_served_is_named) {
  for (const ToolChoice choice : {ToolChoice::kAuto, ToolChoice::kRequired, ToolChoice::kNamed}) {
    auto request = chat("x");
    auto& conversation = std::get<Conversation>(input_of(*request).prompt);
    conversation.tools = {
        {"weather", "", kCityTool, true},
        {"notes", "", R"({"properties":{"text":{"not":{}}}})", true},
    };
    conversation.tool_choice = choice;
    if (choice == ToolChoice::kNamed) conversation.tool_name = "notes";
    const Answer answer = submit(request);
    while (!answer.stream->finished()) std::this_thread::yield();
    const Status status = answer.stream->status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_EQ(status.field(), "tools[1]");
    EXPECT_TRUE(status.text().starts_with("tool 'notes': ")) << status.text();
    EXPECT_NE(status.text().find("'not'"), std::string::npos) << status.text();
  }
}

TEST_F(GenerationServableTest, the_model_s_end_ends_what_is_inside) {
  Answer answer = submit(prompt("x"));
  servable_.reset();
  ASSERT_TRUE(answer.stream->finished());
  EXPECT_EQ(answer.stream->status().code(), Code::kUnavailable);
}

TEST_F(GenerationServableTest, tells_the_tokens_that_a_generation_would_begin_with) {
  const auto tokens_of = [&](const std::variant<Conversation, Prompt>& prompt) {
    TokenizeInput input;
    input.prompt = prompt;
    input.pieces = true;
    auto request = std::make_shared<Request>();
    request->input = std::move(input);
    Answer answer = submit(std::move(request));
    return std::get<TokenizeOutput>(answer.stream->read().value());
  };
  submit(prompt("ab"));
  submit(chat("hi"));
  const TokenizeOutput text = tokens_of(std::get<Prompt>(input_of(*prompt("ab")).prompt));
  const TokenizeOutput talk = tokens_of(std::get<Conversation>(input_of(*chat("hi")).prompt));
  EXPECT_EQ(text.tokens, lane_input(0).prompt);
  EXPECT_EQ(talk.tokens, lane_input(1).prompt);
  ASSERT_EQ(text.pieces.size(), text.tokens.size());
  EXPECT_EQ(text.pieces.back(), "b");
  EXPECT_GT(text.context_length, 0u);
  EXPECT_EQ(lane_->inside.size(), 2u);  // the questions went past the lane
  lane_->inside.front().finished = true;
  lane_->inside.front().stream->finish(cancelled("the test ends"));
}

TEST_F(GenerationServableTest, leaves_the_begin_token_out_where_it_is_told_to) {
  const auto count = [&](bool special) {
    TokenizeInput input;
    input.prompt = Prompt{"ab", {}, false};
    input.special = special;
    auto request = std::make_shared<Request>();
    request->input = std::move(input);
    return std::get<TokenizeOutput>(submit(request).stream->read().value()).tokens.size();
  };
  EXPECT_EQ(count(false), 2u);
  EXPECT_EQ(count(true), 3u);
}

TEST_F(GenerationServableTest, makes_text_of_tokens_and_no_half_characters) {
  DetokenizeInput input;
  input.tokens = {'h', 0xc3, 0xa9, 0xc3, '!', 0xe2};
  auto request = std::make_shared<Request>();
  request->input = std::move(input);
  Answer answer = submit(request);
  EXPECT_EQ(std::get<DetokenizeOutput>(answer.stream->read().value()).text, "h\u00e9\ufffd!\ufffd");
}

TEST_F(GenerationServableTest, refuses_tokens_and_texts_beyond_its_bounds) {
  const auto ask = [&](decltype(Request::input) input) {
    auto request = std::make_shared<Request>();
    request->input = std::move(input);
    Answer answer;
    const auto ended = std::make_shared<std::promise<void>>();
    answer.stream->on_ready([ended, stream = answer.stream.get()] {
      if (stream->finished() || stream->read()) ended->set_value();
    });
    servable_->submit(request, answer.stream);
    ended->get_future().wait();
    return answer.stream->status();
  };
  EXPECT_EQ(ask(DetokenizeInput{{1, 1'000'000}}).field(), "tokens");
  EXPECT_EQ(ask(DetokenizeInput{{-1}}).code(), Code::kInvalidArgument);
  EXPECT_EQ(
      ask(DetokenizeInput{std::vector<Token>(1024 * 1024 + 1, 'a')}).code(), Code::kInvalidArgument
  );
  const Status lengthy = ask(TokenizeInput{Prompt{std::string(1024 * 1024 + 1, 'a'), {}, false}});
  EXPECT_NE(lengthy.text().find("1048576"), std::string::npos) << lengthy.text();
  EXPECT_TRUE(ask(TokenizeInput{Prompt{std::string(5000, 'a'), {}, false}}).ok());  // on the pool
}

// A lane's controls that keep what they were told.
class NotedControls final : public SequenceControls {
 public:
  void add_adapter(std::string name, std::shared_ptr<const SequenceAdapter> adapter) override {
    adapters[std::move(name)] = std::move(adapter);
  }
  bool remove_adapter(const std::string& name) override { return adapters.erase(name) > 0; }
  Status create_prefix(SequencePrefix prefix) override {
    prefixes_made.push_back(std::move(prefix));
    return {};
  }
  bool remove_prefix(const std::string& name) override { return name == "known"; }
  std::vector<PrefixState> prefixes() const override {
    return {{"known", "default", "", 5, 3, false}};
  }

  std::map<std::string, std::shared_ptr<const SequenceAdapter>> adapters;
  std::vector<SequencePrefix> prefixes_made;
};

class GenerationControlsTest : public GenerationServableTest {
 protected:
  void SetUp() override { build({}, &controls_); }

  NotedControls controls_;
};

TEST_F(GenerationServableTest, a_lane_without_controls_offers_none) {
  EXPECT_EQ(servable_->language(), nullptr);
}

TEST_F(GenerationControlsTest, an_adapter_is_read_and_goes_to_the_lane) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "generation_adapter";
  std::ofstream(file) << "synthetic adapter\nx\n";
  LanguageControls& language = *servable_->language();
  const auto bytes = language.load_adapter("tuned", file);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, controls_.adapters.at("tuned")->memory_bytes());
  EXPECT_TRUE(language.unload_adapter("tuned"));
  EXPECT_FALSE(language.unload_adapter("tuned"));
  EXPECT_FALSE(language.load_adapter("tuned", file.string() + ".none").ok());
  EXPECT_TRUE(controls_.adapters.empty());
}

TEST_F(GenerationControlsTest, a_named_conversation_ends_with_its_last_message) {
  PrefixRequest prefix;
  prefix.name = "pirate";
  prefix.workspace = "lab";
  prefix.tenant = "acme";
  prefix.adapter = "tuned";
  prefix.adapter_scale = 0.5F;
  prefix.cache_salt = "salt";
  Conversation conversation;
  conversation.messages.emplace_back();
  conversation.messages.back().role = Role::kSystem;
  conversation.messages.back().content = "Arr.";
  prefix.prompt = conversation;
  LanguageControls& language = *servable_->language();
  ASSERT_TRUE(language.create_prefix(prefix).ok());
  const SequencePrefix& made = controls_.prefixes_made.at(0);
  EXPECT_EQ(made.name, "pirate");
  EXPECT_EQ(made.workspace, "lab");
  EXPECT_EQ(made.tenant, "acme");
  EXPECT_EQ(made.adapter, "tuned");
  EXPECT_EQ(made.adapter_scale, 0.5F);
  EXPECT_EQ(made.cache_salt, "salt");
  // A chat that begins with it has all of its tokens in front, and more.
  auto asked = chat("Who?");
  std::get<Conversation>(input_of(*asked).prompt)
      .messages.insert(
          std::get<Conversation>(input_of(*asked).prompt).messages.begin(), conversation.messages[0]
      );
  const Answer answer = submit(asked);
  const auto& whole = lane_input().prompt;
  ASSERT_GT(whole.size(), made.tokens.size());
  EXPECT_TRUE(std::equal(made.tokens.begin(), made.tokens.end(), whole.begin()));
  EXPECT_GT(made.tokens.size(), 4U);
}

TEST_F(GenerationControlsTest, a_text_that_begins_prompts_gets_a_name) {
  PrefixRequest prefix;
  prefix.name = "story";
  prefix.prompt = Prompt{"Once", {}, false};
  LanguageControls& language = *servable_->language();
  ASSERT_TRUE(language.create_prefix(prefix).ok());
  const Answer answer = submit(prompt("Once"));
  EXPECT_EQ(controls_.prefixes_made.at(0).tokens, lane_input().prompt);
  EXPECT_EQ(language.prefixes().at(0).name, "known");
  EXPECT_TRUE(language.remove_prefix("known"));
  EXPECT_FALSE(language.remove_prefix("other"));
}

}  // namespace
}  // namespace cortex::backend
