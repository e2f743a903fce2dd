// SPDX-License-Identifier: Apache-2.0
// Completions through the codec: what a client sees.
#include <limits>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "frontend/codec/openai/testing/played_model.h"

namespace cortex::frontend::openai {
namespace {

const std::string kCompletionHead =
    R"({"id":"cmpl-r1","object":"text_completion","created":1700000000,"model":"m","system_fingerprint":"fp_test","choices":[)";

TEST(Completion, answers_whole) {
  PlayedModel model;
  model.plays({said(" upon"), said(" a"), finished(FinishReason::kLength)});
  EXPECT_EQ(
      model.complete(R"(,"prompt":"Once")")->bytes(),
      kCompletionHead +
          R"({"text":" upon a","index":0,"logprobs":null,"finish_reason":"length"}],)"
          R"("usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}})"
  );
}

TEST(Completion, streams) {
  PlayedModel model;
  model.plays({said("a"), finished(FinishReason::kStop)});
  EXPECT_EQ(
      model.complete(R"(,"prompt":"x","stream":true)")->streamed(),
      "data: " + kCompletionHead +
          R"({"text":"a","index":0,"logprobs":null,"finish_reason":null}]})" + "\n\n" + "data: " +
          kCompletionHead + R"({"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]})" +
          "\n\n" + "data: [DONE]\n\n"
  );
}

TEST(Completion, several_prompts_are_several_requests_whose_choices_follow_each_other) {
  PlayedModel model;
  model.plays(
      {said("a"), said("b", 1), finished(FinishReason::kStop), finished(FinishReason::kStop, 1)}
  );
  const std::string whole = model.complete(R"(,"prompt":["x","y"],"n":2)")->bytes();
  ASSERT_EQ(model.asked.size(), 2U);
  const auto& second = std::get<GenerationInput>(model.asked[1]->input);
  EXPECT_EQ(std::get<Prompt>(second.prompt).text, "y");
  for (const auto* const choice :
       {R"({"text":"a","index":0)",
        R"({"text":"b","index":1)",
        R"({"text":"a","index":2)",
        R"({"text":"b","index":3)"}) {
    EXPECT_NE(whole.find(choice), std::string::npos) << choice << " in " << whole;
  }
  EXPECT_NE(
      whole.find(R"("prompt_tokens":14,"completion_tokens":10,"total_tokens":24)"),
      std::string::npos
  );
}

TEST(Completion, gives_log_probabilities_in_four_lists) {
  PlayedModel model;
  GenerationOutput out = said("hé");
  out.tokens = {
      {1, "h", std::numeric_limits<float>::quiet_NaN(), {}},
      {2, "\xC3", -1, {{3, "\xC3", -1}, {4, "a", -2}, {5, "a", -3}}},
      {6, "\xA9", -0.25F, {{7, "b", -0.125F}}},
  };
  model.plays({out, finished(FinishReason::kStop)});
  const std::string expected =
      R"("logprobs":{"tokens":["h","bytes:\\xc3","bytes:\\xa9"],"token_logprobs":[null,-1,-0.25],)"
      R"("top_logprobs":[null,{"bytes:\\xc3":-1,"a":-2},{"b":-0.125,"bytes:\\xa9":-0.25}],)"
      R"("text_offset":[0,1,2]})";
  const std::string whole = model.complete(R"(,"prompt":"h","echo":true,"logprobs":2)")->bytes();
  EXPECT_NE(whole.find(expected), std::string::npos) << whole;
  EXPECT_TRUE(std::get<Prompt>(std::get<GenerationInput>(model.asked[0]->input).prompt).echo);
}

TEST(Completion, offsets_go_on_over_the_events_of_a_stream) {
  PlayedModel model;
  GenerationOutput first = said("añ");
  first.tokens = {{1, "añ", -1, {}}};
  GenerationOutput second = said("b");
  second.tokens = {{2, "b", -1, {}}};
  model.plays({first, second, finished(FinishReason::kStop)});
  const std::string streamed =
      model.complete(R"(,"prompt":"x","stream":true,"logprobs":0)")->streamed();
  EXPECT_NE(streamed.find(R"("text_offset":[0])"), std::string::npos) << streamed;
  EXPECT_NE(streamed.find(R"("text_offset":[2])"), std::string::npos) << streamed;
}

TEST(Completion, one_prompt_that_fails_fails_all) {
  PlayedModel model;
  model.end = resource_exhausted("full");
  EXPECT_EQ(model.complete(R"(,"prompt":["x","y"])")->failure().code(), Code::kResourceExhausted);
}

TEST(Completion, a_model_name_that_is_none_is_refused_with_its_field) {
  PlayedModel model;
  const auto exchange = model.post("/v1/completions", R"({"model":"../x","prompt":"a"})");
  EXPECT_EQ(exchange->failure().code(), Code::kInvalidArgument);
  EXPECT_EQ(exchange->failure().field(), "model");
}

}  // namespace
}  // namespace cortex::frontend::openai
