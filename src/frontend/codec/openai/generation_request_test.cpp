// SPDX-License-Identifier: Apache-2.0
// The bodies of chats and completions.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/openai/generation_call.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::openai {
namespace {

using testing::body_of;

// A chat of one message and the fields given, which begin with a comma.
std::string chat_with(std::string_view fields) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + std::string(fields) + "}";
}

std::string completion_with(std::string_view fields) {
  return R"({"model":"m","prompt":"once")" + std::string(fields) + "}";
}

Result<GenerationCall> chat_call(std::string_view json) { return read_chat(body_of(json)->text()); }

// The one generation of a body that is right.
GenerationInput chat_input(std::string_view fields) {
  auto call = chat_call(chat_with(fields));
  EXPECT_TRUE(call.ok()) << fields << ": " << call.status().text();
  return call.ok() ? std::move(call->inputs.at(0)) : GenerationInput();
}

GenerationInput completion_input(std::string_view fields) {
  auto call = read_completion(body_of(completion_with(fields))->text());
  EXPECT_TRUE(call.ok()) << fields << ": " << call.status().text();
  return call.ok() ? std::move(call->inputs.at(0)) : GenerationInput();
}

Status chat_fault(std::string_view json) {
  const Status status = chat_call(json).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << json;
  return status;
}

// The field that a wrong body is refused for.
std::string wrong_field(std::string_view fields) { return chat_fault(chat_with(fields)).field(); }

Conversation conversation(std::string_view json) {
  auto call = chat_call(json);
  EXPECT_TRUE(call.ok()) << call.status().text();
  return call.ok() ? std::get<Conversation>(call->inputs.at(0).prompt) : Conversation();
}

Conversation with_messages(std::string_view list) {
  return conversation(R"({"model":"m","messages":)" + std::string(list) + "}");
}

Status messages_fault(std::string_view list) {
  return chat_fault(R"({"model":"m","messages":)" + std::string(list) + "}");
}

TEST(ChatRequest, the_least_of_it_has_the_defaults) {
  const auto call = chat_call(chat_with(""));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->model, "m");
  EXPECT_FALSE(call->stream);
  EXPECT_FALSE(call->include_usage);
  ASSERT_EQ(call->inputs.size(), 1U);
  const GenerationInput& input = call->inputs[0];
  EXPECT_EQ(input.tokens_max, 0U);
  EXPECT_EQ(input.sequences, 1U);
  EXPECT_EQ(input.best_of, 0U);
  EXPECT_EQ(input.sampling.temperature, 1);
  EXPECT_EQ(input.sampling.top_p, 1);
  EXPECT_FALSE(input.sampling.seed.has_value());
  EXPECT_FALSE(input.top_logprobs.has_value());
  EXPECT_EQ(input.format.kind, OutputFormat::Kind::kText);
}

TEST(ChatRequest, reads_every_number) {
  const SamplingSettings sampling =
      chat_input(
          R"(,"temperature":0,"top_p":0.5,"top_k":7,"min_p":0.25,"typical_p":0.75,"repeat_penalty":1.5,)"
          R"("frequency_penalty":-2,"presence_penalty":2,"repeat_last_n":-1,"dry_multiplier":0.5,)"
          R"("dry_base":2,"dry_allowed_length":3,"dry_penalty_last_n":9,"xtc_probability":0.5,)"
          R"("xtc_threshold":0.25,"mirostat":2,"mirostat_tau":4,"mirostat_eta":0.5,"seed":42)"
      )
          .sampling;
  EXPECT_EQ(sampling.temperature, 0);
  EXPECT_EQ(sampling.top_p, 0.5F);
  EXPECT_EQ(sampling.top_k, 7);
  EXPECT_EQ(sampling.min_p, 0.25F);
  EXPECT_EQ(sampling.typical_p, 0.75F);
  EXPECT_EQ(sampling.repeat_penalty, 1.5F);
  EXPECT_EQ(sampling.frequency_penalty, -2);
  EXPECT_EQ(sampling.presence_penalty, 2);
  EXPECT_EQ(sampling.penalty_last, -1);
  EXPECT_EQ(sampling.dry_multiplier, 0.5F);
  EXPECT_EQ(sampling.dry_base, 2);
  EXPECT_EQ(sampling.dry_allowed_length, 3);
  EXPECT_EQ(sampling.dry_penalty_last, 9);
  EXPECT_EQ(sampling.xtc_probability, 0.5F);
  EXPECT_EQ(sampling.xtc_threshold, 0.25F);
  EXPECT_EQ(sampling.mirostat, 2);
  EXPECT_EQ(sampling.mirostat_tau, 4);
  EXPECT_EQ(sampling.mirostat_eta, 0.5F);
  EXPECT_EQ(sampling.seed, 42U);
}

TEST(ChatRequest, knows_the_other_names_and_words_for_the_same) {
  EXPECT_EQ(chat_input(R"(,"repetition_penalty":1.25)").sampling.repeat_penalty, 1.25F);
  EXPECT_EQ(chat_input(R"(,"top_k":-1)").sampling.top_k, 0);
  EXPECT_GT(chat_input(R"(,"top_p":0)").sampling.top_p, 0) << "at least one token is left";
  EXPECT_EQ(chat_input(R"(,"seed":-1)").sampling.seed, std::nullopt);
  EXPECT_EQ(chat_input(R"(,"seed":-2)").sampling.seed, static_cast<std::uint64_t>(-2));
  EXPECT_EQ(chat_input(R"(,"seed":18446744073709551615)").sampling.seed, ~std::uint64_t{0});
  EXPECT_EQ(chat_input(R"(,"n_predict":9)").tokens_max, 9U);
  EXPECT_EQ(chat_input(R"(,"n_predict":-1)").tokens_max, 0U);
}

TEST(ChatRequest, refuses_numbers_out_of_their_range_by_name) {
  const std::pair<std::string, std::vector<std::string>> wrong[] = {
      {"temperature", {"-0.1", "2.1", "\"1\"", "true", "1e999"}},
      {"top_p", {"-0.1", "1.1"}},
      {"top_k", {"-2", "1.5", "3000000000"}},
      {"min_p", {"-1", "1.5"}},
      {"typical_p", {"0", "1.5"}},
      {"repeat_penalty", {"0", "2.5"}},
      {"repetition_penalty", {"0"}},
      {"frequency_penalty", {"-2.1", "2.1"}},
      {"presence_penalty", {"-2.1", "2.1"}},
      {"repeat_last_n", {"-2"}},
      {"dry_multiplier", {"-1"}},
      {"dry_base", {"0.5"}},
      {"dry_allowed_length", {"-1"}},
      {"dry_penalty_last_n", {"-2"}},
      {"xtc_probability", {"-1", "2"}},
      {"xtc_threshold", {"-1", "2"}},
      {"mirostat", {"-1", "3"}},
      {"mirostat_tau", {"-1"}},
      {"mirostat_eta", {"-1", "2"}},
      {"seed", {"1.5", "\"1\""}},
      {"max_tokens", {"0", "-1", "1.5"}},
      {"max_completion_tokens", {"0"}},
      {"n_predict", {"0", "-2"}},
      {"n", {"0", "129"}},
      {"best_of", {"0", "129"}},
      {"top_logprobs", {"-1", "21"}},
  };
  for (const auto& [name, values] : wrong) {
    for (const std::string& value : values) {
      EXPECT_EQ(wrong_field(",\"" + name + "\":" + value), name) << value;
    }
  }
  EXPECT_EQ(
      chat_fault(chat_with(R"(,"temperature":3)")).text(),
      "'temperature' must be a number from 0 to 2"
  );
  EXPECT_EQ(chat_fault(chat_with(R"(,"n":0)")).text(), "'n' must be a whole number from 1 to 128");
}

TEST(ChatRequest, the_newer_bound_of_tokens_counts) {
  EXPECT_EQ(chat_input(R"(,"max_tokens":5)").tokens_max, 5U);
  EXPECT_EQ(chat_input(R"(,"max_completion_tokens":7,"max_tokens":5)").tokens_max, 7U);
}

TEST(ChatRequest, reads_stops_alone_and_in_lists) {
  using Stops = std::vector<std::string>;
  EXPECT_EQ(chat_input(R"(,"stop":"\n")").stop, (Stops{"\n"}));
  EXPECT_EQ(chat_input(R"(,"stop":["a","b"])").stop, (Stops{"a", "b"}));
  EXPECT_EQ(chat_input(R"(,"stop":[])").stop, Stops());
  EXPECT_EQ(wrong_field(R"(,"stop":"")"), "stop");
  EXPECT_EQ(wrong_field(R"(,"stop":[1])"), "stop");
  EXPECT_EQ(wrong_field(R"(,"stop":1)"), "stop");
  std::string many = R"("x")";
  for (std::size_t i = 1; i < kStopsMax; ++i) many += R"(,"x")";
  EXPECT_EQ(chat_input(",\"stop\":[" + many + "]").stop.size(), kStopsMax);
  EXPECT_EQ(wrong_field(",\"stop\":[" + many + ",\"x\"]"), "stop");
  EXPECT_EQ(wrong_field(",\"stop\":\"" + std::string(kStopBytesMax + 1, 'x') + "\""), "stop");
}

TEST(ChatRequest, reads_biases_by_token) {
  using Biases = std::vector<std::pair<Token, float>>;
  EXPECT_EQ(
      chat_input(R"(,"logit_bias":{"12":-100,"0":1.5})").sampling.logit_bias,
      (Biases{{12, -100.0F}, {0, 1.5F}})
  );
  for (const auto* const wrong :
       {"[]",
        R"({"a":1})",
        R"({"-1":1})",
        R"({"1":101})",
        R"({"":1})",
        R"({"1":"x"})",
        R"({"99999999999":1})"}) {
    EXPECT_EQ(wrong_field(std::string(",\"logit_bias\":") + wrong), "logit_bias") << wrong;
  }
}

TEST(ChatRequest, reads_what_is_counted_and_streamed) {
  const auto call =
      chat_call(chat_with(R"(,"stream":true,"stream_options":{"include_usage":true},"n":2)"));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_TRUE(call->stream);
  EXPECT_TRUE(call->include_usage);
  EXPECT_EQ(call->inputs[0].sequences, 2U);
  EXPECT_EQ(wrong_field(R"(,"stream_options":{"include_usage":true})"), "stream_options");
  EXPECT_FALSE(call->continuous_usage);
  EXPECT_TRUE(
      chat_call(chat_with(R"(,"stream":true,"stream_options":{"continuous_usage_stats":true})"))
          ->continuous_usage
  );
  EXPECT_EQ(
      wrong_field(R"(,"stream":true,"stream_options":{"continuous_usage_stats":1})"),
      "stream_options.continuous_usage_stats"
  );
  EXPECT_EQ(wrong_field(R"(,"stream":true,"stream_options":{"x":1})"), "stream_options.x");
  EXPECT_TRUE(
      chat_call(chat_with(R"(,"stream":true,"stream_options":{"include_obfuscation":false})")).ok()
  );
}

TEST(ChatRequest, reads_the_best_of_more) {
  EXPECT_EQ(chat_input(R"(,"n":2,"best_of":3)").best_of, 3U);
  EXPECT_EQ(wrong_field(R"(,"n":3,"best_of":2)"), "best_of");
  EXPECT_EQ(wrong_field(R"(,"best_of":2,"stream":true)"), "best_of");
}

TEST(ChatRequest, reads_log_probabilities) {
  EXPECT_EQ(chat_input(R"(,"logprobs":true)").top_logprobs, 0U);
  EXPECT_EQ(chat_input(R"(,"logprobs":true,"top_logprobs":20)").top_logprobs, 20U);
  EXPECT_EQ(chat_input(R"(,"logprobs":false)").top_logprobs, std::nullopt);
  EXPECT_EQ(wrong_field(R"(,"top_logprobs":2)"), "top_logprobs");
  EXPECT_EQ(wrong_field(R"(,"logprobs":2)"), "logprobs");
}

OutputFormat format_with(std::string_view fields) { return chat_input(fields).format; }

TEST(ChatRequest, reads_what_the_answer_must_look_like) {
  using Kind = OutputFormat::Kind;
  EXPECT_EQ(format_with(R"(,"response_format":{"type":"text"})").kind, Kind::kText);
  EXPECT_EQ(
      format_with(R"(,"response_format":{"type":"text","json_schema":null})").kind, Kind::kText
  );
  EXPECT_EQ(
      format_with(R"(,"response_format":{"type":"json_object","schema":null})").kind,
      Kind::kJsonObject
  );
  EXPECT_EQ(format_with(R"(,"response_format":{"type":"json_object"})").kind, Kind::kJsonObject);
  const auto named = format_with(
      R"(,"response_format":{"json_schema":{"name":"x","strict":true,"schema":{"type": "object"}},"type":"json_schema"})"
  );
  EXPECT_EQ(named.kind, Kind::kJsonSchema);
  EXPECT_EQ(named.text, R"({"type": "object"})");
  const auto bare = format_with(R"(,"response_format":{"type":"json_object","schema":{}})");
  EXPECT_EQ(bare.kind, Kind::kJsonSchema);
  EXPECT_EQ(bare.text, "{}");
  EXPECT_EQ(format_with(R"(,"guided_json":{"type":"array"})").text, R"({"type":"array"})");
  EXPECT_EQ(format_with(R"(,"guided_json":"{}")").text, "{}");
  EXPECT_EQ(format_with(R"(,"json_schema":{})").kind, Kind::kJsonSchema);
  EXPECT_EQ(format_with(R"(,"guided_regex":"a+")").kind, Kind::kRegex);
  EXPECT_EQ(format_with(R"(,"guided_regex":"a+")").text, "a+");
  EXPECT_EQ(format_with(R"(,"guided_grammar":"start: \"a\"")").kind, Kind::kLark);
  const auto choice = format_with(R"(,"guided_choice":["yes","no"])");
  EXPECT_EQ(choice.kind, Kind::kChoice);
  EXPECT_EQ(choice.choices, (std::vector<std::string>{"yes", "no"}));
}

TEST(ChatRequest, reads_structured_outputs) {
  using Kind = OutputFormat::Kind;
  EXPECT_EQ(
      format_with(R"(,"structured_outputs":{"json":{"a":1},"regex":null})").text, R"({"a":1})"
  );
  EXPECT_EQ(format_with(R"(,"structured_outputs":{"regex":"a"})").kind, Kind::kRegex);
  EXPECT_EQ(format_with(R"(,"structured_outputs":{"choice":["a"]})").kind, Kind::kChoice);
  EXPECT_EQ(format_with(R"(,"structured_outputs":{"grammar":"a"})").kind, Kind::kLark);
  EXPECT_EQ(format_with(R"(,"structured_outputs":{"json_object":true})").kind, Kind::kJsonObject);
  EXPECT_EQ(
      wrong_field(R"(,"structured_outputs":{"structural_tag":{}})"),
      "structured_outputs.structural_tag"
  );
}

TEST(ChatRequest, refuses_formats_that_are_none_or_contradict) {
  EXPECT_EQ(wrong_field(R"(,"response_format":"json")"), "response_format");
  EXPECT_EQ(wrong_field(R"(,"response_format":{"type":"xml"})"), "response_format.type");
  EXPECT_EQ(
      wrong_field(R"(,"response_format":{"type":"json_schema"})"),
      "response_format.json_schema.schema"
  );
  EXPECT_EQ(
      wrong_field(R"(,"response_format":{"type":"json_schema","json_schema":{"schema":[]}})"),
      "response_format.json_schema.schema"
  );
  EXPECT_EQ(wrong_field(R"(,"guided_choice":[])"), "guided_choice");
  EXPECT_EQ(wrong_field(R"(,"guided_choice":[1])"), "guided_choice");
  EXPECT_EQ(wrong_field(R"(,"guided_json":1)"), "guided_json");
  EXPECT_EQ(wrong_field(R"(,"guided_json":{},"guided_regex":"a")"), "guided_regex");
  EXPECT_EQ(
      wrong_field(R"(,"structured_outputs":{"regex":"a","choice":["b"]})"),
      "structured_outputs.choice"
  );
}

TEST(ChatRequest, remembers_which_field_said_what_the_answer_must_look_like) {
  const std::pair<const char*, const char*> rows[] = {
      {R"(,"response_format":{"type":"json_object"})", "response_format"},
      {R"(,"structured_outputs":{"regex":"a"})", "structured_outputs.regex"},
      {R"(,"guided_json":{})", "guided_json"},
      {R"(,"json_schema":{})", "json_schema"},
      {R"(,"guided_regex":"a")", "guided_regex"},
      {R"(,"guided_choice":["a"])", "guided_choice"},
      {R"(,"guided_grammar":"a")", "guided_grammar"},
  };
  for (const auto& [fields, name] : rows) EXPECT_EQ(format_with(fields).field, name);
}

TEST(ChatRequest, reads_what_breaks_a_repetition) {
  const auto breakers = [](std::string_view fields) {
    return chat_input(fields).sampling.dry_breakers;
  };
  using Strings = std::vector<std::string>;
  EXPECT_EQ(breakers(""), Strings());
  EXPECT_EQ(breakers(R"(,"dry_sequence_breakers":["\n","USER:"])"), Strings({"\n", "USER:"}));
  for (const std::string wrong : {"[]", R"([""])", "[1]", R"("a")", R"({"a":1})"}) {
    EXPECT_EQ(wrong_field(",\"dry_sequence_breakers\":" + wrong), "dry_sequence_breakers") << wrong;
  }
  const auto listed = [](std::size_t count, std::size_t bytes) {
    std::string out = ",\"dry_sequence_breakers\":[";
    for (std::size_t i = 0; i < count; ++i) {
      out.append(i > 0 ? ",\"" : "\"").append(std::string(bytes, 'x')).append("\"");
    }
    return out + "]";
  };
  EXPECT_EQ(breakers(listed(64, 64)).size(), 64u);
  EXPECT_EQ(wrong_field(listed(65, 1)), "dry_sequence_breakers");
  EXPECT_EQ(wrong_field(listed(1, 65)), "dry_sequence_breakers");
}

TEST(ChatRequest, reads_the_rest) {
  EXPECT_TRUE(chat_input(R"(,"ignore_eos":true)").ignore_end);
  EXPECT_EQ(chat_input(R"(,"cache_salt":"s")").cache_salt, "s");
  const auto variables = [](std::string_view fields) {
    return conversation(chat_with(fields)).template_arguments;
  };
  EXPECT_EQ(variables(""), "");
  EXPECT_EQ(
      variables(R"(,"chat_template_kwargs":{"enable_thinking": false})"),
      R"({"enable_thinking": false})"
  );
  EXPECT_EQ(variables(R"(,"reasoning_effort":"low")"), R"({"reasoning_effort":"low"})");
  EXPECT_EQ(
      variables(R"(,"reasoning_effort":"low","chat_template_kwargs":{"a":1})"),
      R"({"reasoning_effort":"low","a":1})"
  );
  EXPECT_EQ(
      variables(R"(,"reasoning_effort":"low","chat_template_kwargs":{ })"),
      R"({"reasoning_effort":"low" })"
  );
  EXPECT_EQ(wrong_field(R"(,"chat_template_kwargs":[])"), "chat_template_kwargs");
}

TEST(ChatRequest, reads_how_far_it_steps_back) {
  EXPECT_EQ(chat_call(chat_with(""))->niceness, 0);
  EXPECT_EQ(chat_call(chat_with(R"(,"priority":5)"))->niceness, 5);
  EXPECT_EQ(chat_call(chat_with(R"(,"priority":-2147483648)"))->niceness, -2147483647 - 1);
  EXPECT_EQ(chat_call(chat_with(R"(,"priority":null)"))->niceness, 0);
  for (const auto* const wrong : {"2147483648", "-2147483649", "0.5", "\"1\"", "true", "[]"}) {
    EXPECT_EQ(wrong_field(std::string(",\"priority\":") + wrong), "priority") << wrong;
  }
}

TEST(ChatRequest, reads_over_fields_that_change_nothing) {
  chat_input(
      R"(,"user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto","safety_identifier":"s",)"
      R"("prompt_cache_key":"k","prompt_cache_retention":"24h","verbosity":"medium","id_slot":-1,)"
      R"("prediction":{"type":"content","content":"x"},"n_keep":0,"request_id":"r",)"
      R"("modalities":["text"],"min_tokens":0,"stop_token_ids":[],"use_beam_search":false,)"
      R"("length_penalty":1.0,"skip_special_tokens":true,"cache_prompt":true,"unknown":null,)"
      R"("guided_decoding_backend":"xgrammar","logit_bias":null,"stop":null,"tools":null)"
  );
}

TEST(ChatRequest, refuses_what_it_would_have_to_ignore) {
  for (const auto* const name :
       {"min_tokens",
        "stop_token_ids",
        "use_beam_search",
        "length_penalty",
        "skip_special_tokens",
        "functions",
        "audio",
        "top_n_sigma",
        "bad_words"}) {
    const Status status = chat_fault(chat_with(std::string(",\"") + name + "\":7"));
    EXPECT_EQ(status.field(), name);
    EXPECT_EQ(status.reason(), "unsupported_parameter");
  }
  EXPECT_EQ(wrong_field(R"(,"modalities":["text","audio"])"), "modalities");
  const std::pair<std::string, std::vector<std::string>> promises[] = {
      {"store", {"true", "1"}},
      {"service_tier", {"\"flex\"", "\"priority\"", "\"scale\"", "1"}},
      {"verbosity", {"\"low\"", "\"high\""}},
      {"cache_prompt", {"false"}},
      {"id_slot", {"0", "3"}},
      {"n_keep", {"1", "64"}},
  };
  for (const auto& [name, values] : promises) {
    for (const std::string& value : values) {
      EXPECT_EQ(wrong_field(",\"" + name + "\":" + value), name) << value;
    }
  }
  EXPECT_EQ(
      chat_fault(chat_with(R"(,"service_tier":"flex")")).text(),
      "'service_tier' is not supported: it may be left out, or be \"auto\",\"default\""
  );
  const Status unknown = chat_fault(chat_with(R"(,"tempature":1)"));
  EXPECT_EQ(unknown.text(), "Unknown parameter: 'tempature'.");
  EXPECT_EQ(unknown.field(), "tempature");
  EXPECT_EQ(unknown.reason(), "unknown_parameter");
}

TEST(ChatRequest, reads_a_conversation) {
  const Conversation read = with_messages(
      R"([{"role":"system","content":"be brief"},{"content":"hé","role":"user","name":"ann"},)"
      R"({"role":"assistant","content":null,"reasoning_content":"hm","refusal":null,"tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
      R"({"id":"c2","type":"function","function":{"name":"g","arguments":{"b": 2}}}]},)"
      R"({"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"4"},{"text":"2","type":"text"}]},)"
      R"({"role":"developer","content":""}])"
  );
  ASSERT_EQ(read.messages.size(), 5U);
  EXPECT_EQ(read.messages[0].role, Role::kSystem);
  EXPECT_EQ(read.messages[1].content, "hé");
  EXPECT_EQ(read.messages[1].name, "ann");
  const Message& assistant = read.messages[2];
  EXPECT_EQ(assistant.role, Role::kAssistant);
  EXPECT_EQ(assistant.reasoning, "hm");
  ASSERT_EQ(assistant.tool_calls.size(), 2U);
  EXPECT_EQ(assistant.tool_calls[0].id, "c1");
  EXPECT_EQ(assistant.tool_calls[0].name, "f");
  EXPECT_EQ(assistant.tool_calls[0].arguments, R"({"a":1})");
  EXPECT_EQ(assistant.tool_calls[1].arguments, R"({"b": 2})");
  EXPECT_EQ(read.messages[3].role, Role::kTool);
  EXPECT_EQ(read.messages[3].tool_call_id, "c1");
  EXPECT_EQ(read.messages[3].content, "42");
  EXPECT_EQ(read.messages[4].role, Role::kDeveloper);
}

TEST(ChatRequest, takes_back_messages_as_clients_give_them) {
  const Conversation read =
      with_messages(R"([{"role":"user","content":[{"type":"text","text":"hi","refusal":null}]},)"
                    R"({"role":"assistant","content":null,"refusal":"no","tool_calls":null},)"
                    R"({"role":"assistant","content":"well","refusal":"no"}])");
  ASSERT_EQ(read.messages.size(), 3U);
  EXPECT_EQ(read.messages[0].content, "hi");
  EXPECT_EQ(read.messages[1].content, "no");
  EXPECT_EQ(read.messages[2].content, "well");
}

TEST(ChatRequest, the_answer_goes_on_with_the_last_message_where_that_is_asked_for) {
  const auto asks = [](std::string_view fields, std::string_view last) {
    return R"({"model":"m","messages":[{"role":"user","content":"hi"},)" + std::string(last) + "]" +
           std::string(fields) + "}";
  };
  constexpr std::string_view kSaid = R"({"role":"assistant","content":"Well,"})";
  const auto goes_on = [&](std::string_view fields) {
    return conversation(asks(fields, kSaid)).continue_last;
  };
  EXPECT_EQ(goes_on(""), std::nullopt);
  EXPECT_EQ(goes_on(R"(,"continue_final_message":true)"), true);
  EXPECT_EQ(goes_on(R"(,"continue_final_message":false)"), false);
  EXPECT_EQ(goes_on(R"(,"add_generation_prompt":true)"), false);
  EXPECT_EQ(goes_on(R"(,"add_generation_prompt":false)"), true);
  EXPECT_EQ(goes_on(R"(,"continue_final_message":true,"add_generation_prompt":false)"), true);
  const auto wrong = [&](std::string_view fields, std::string_view last) {
    return chat_fault(asks(fields, last)).field();
  };
  for (const auto* const both : {"true", "false"}) {
    const std::string fields =
        ",\"continue_final_message\":" + std::string(both) + ",\"add_generation_prompt\":" + both;
    EXPECT_EQ(wrong(fields, kSaid), "continue_final_message");
  }
  constexpr std::string_view kAsked = R"({"role":"user","content":"Well,"})";
  constexpr std::string_view kCalls =
      R"({"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f"}}]})";
  for (const std::string_view last : {kAsked, kCalls}) {
    EXPECT_EQ(wrong(R"(,"continue_final_message":true)", last), "continue_final_message");
    EXPECT_EQ(wrong(R"(,"add_generation_prompt":false)", last), "add_generation_prompt");
  }
}

TEST(ChatRequest, media_are_refused_by_place_and_name) {
  for (const auto* const type : {"image_url", "input_audio", "file", "video_url"}) {
    const Status status = messages_fault(
        R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":")" + std::string(type) +
        R"(","image_url":{"url":"data:,"}}]}])"
    );
    EXPECT_EQ(status.field(), "messages[0].content[1]");
    EXPECT_NE(status.text().find(type), std::string::npos) << status.text();
  }
}

TEST(ChatRequest, refuses_messages_that_are_none_with_their_place) {
  const std::pair<const char*, const char*> wrong[] = {
      {"[]", "messages"},
      {"{}", "messages"},
      {"[1]", "messages[0]"},
      {R"([{"content":"a"}])", "messages[0].role"},
      {R"([{"role":"user"}])", "messages[0].content"},
      {R"([{"role":"user","content":null}])", "messages[0].content"},
      {R"([{"role":"assistant","content":null}])", "messages[0].content"},
      {R"([{"role":"user","content":1}])", "messages[0].content"},
      {R"([{"role":"user","content":[{"text":"a"}]}])", "messages[0].content[0].type"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"([{"role":"user","content":["a"]}])", "messages[0].content[0]"},
      {R"([{"role":"user","content":"a"},{"role":"function","content":"a"}])", "messages[1].role"},
      {R"([{"role":1,"content":"a"}])", "messages[0].role"},
      {R"([{"role":"assistant","content":"a","tool_calls":[{}]}])",
       "messages[0].tool_calls[0].function.name"},
      {R"([{"role":"assistant","content":"a","tool_calls":{}}])", "messages[0].tool_calls"},
      {R"([{"role":"assistant","content":"a","function_call":{}}])", "messages[0].function_call"},
  };
  for (const auto& [list, field] : wrong) EXPECT_EQ(messages_fault(list).field(), field) << list;
}

TEST(ChatRequest, bounds_the_number_of_messages_and_the_depth) {
  std::string list;
  for (std::size_t i = 0; i < kMessagesMax; ++i) {
    list += R"({"role":"user","content":"a"},)";
  }
  const std::string last = R"({"role":"user","content":"a"}])";
  EXPECT_EQ(messages_fault("[" + list + last).field(), "messages");
  const std::string deep(100, '[');
  EXPECT_FALSE(messages_fault(R"([{"role":"user","content":"a","x":)" + deep).text().empty());
  const std::string closed = deep + std::string(100, ']');
  const auto fault = chat_fault(chat_with(R"(,"guided_json":{"a":)" + closed + "}"));
  EXPECT_NE(fault.text().find("nested deeper"), std::string::npos) << fault.text();
}

std::string tool(std::string_view name) {
  return R"({"type":"function","function":{"name":")" + std::string(name) + R"("}})";
}

TEST(ChatRequest, reads_tools) {
  const Conversation read = conversation(chat_with(
      R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,)"
      R"("parameters":{"type": "object"}}},)" +
      tool("g-2") + R"(],"tool_choice":{"type":"function","function":{"name":"g-2"}},)" +
      R"("parallel_tool_calls":false)"
  ));
  ASSERT_EQ(read.tools.size(), 2U);
  EXPECT_EQ(read.tools[0].name, "f");
  EXPECT_EQ(read.tools[0].description, "d");
  EXPECT_EQ(read.tools[0].parameters, R"({"type": "object"})");
  EXPECT_TRUE(read.tools[0].strict);
  EXPECT_FALSE(read.tools[1].strict);
  EXPECT_EQ(read.tools[1].parameters, "");
  EXPECT_EQ(read.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(read.tool_name, "g-2");
  EXPECT_FALSE(read.parallel_tool_calls);
}

TEST(ChatRequest, reads_the_words_of_tool_choice) {
  const auto choice = [](std::string_view word) {
    return conversation(chat_with(
                            ",\"tools\":[" + tool("f") + "],\"tool_choice\":\"" +
                            std::string(word) + "\""
                        ))
        .tool_choice;
  };
  EXPECT_EQ(choice("auto"), ToolChoice::kAuto);
  EXPECT_EQ(choice("none"), ToolChoice::kNone);
  EXPECT_EQ(choice("required"), ToolChoice::kRequired);
}

TEST(ChatRequest, refuses_tools_that_are_none) {
  const std::string one = tool("f");
  const std::pair<std::string, std::string> wrong[] = {
      {",\"tools\":{}", "tools"},
      {",\"tools\":[1]", "tools[0]"},
      {R"(,"tools":[{"type":"custom"}])", "tools[0].type"},
      {R"(,"tools":[{"type":"function"}])", "tools[0].function"},
      {",\"tools\":[" + tool("") + "]", "tools[0].function.name"},
      {",\"tools\":[" + tool("a b") + "]", "tools[0].function.name"},
      {",\"tools\":[" + tool(std::string(65, 'x')) + "]", "tools[0].function.name"},
      {",\"tools\":[" + one + "," + one + "]", "tools[1].function.name"},
      {R"(,"tools":[{"type":"function","function":{"name":"f","parameters":1}}])",
       "tools[0].function.parameters"},
      {R"(,"tool_choice":"required")", "tool_choice"},
      {R"(,"tool_choice":"maybe")", "tool_choice"},
      {R"(,"tool_choice":7)", "tool_choice"},
      {",\"tools\":[" + one + R"(],"tool_choice":{"type":"function","function":{"name":"g"}})",
       "tool_choice.function.name"},
      {R"(,"tool_choice":{"type":"allowed_tools"})", "tool_choice.type"},
  };
  for (const auto& [fields, field] : wrong) EXPECT_EQ(wrong_field(fields), field) << fields;
}

TEST(ChatRequest, refuses_what_is_missing_double_or_no_json) {
  EXPECT_EQ(chat_fault("{}").field(), "model");
  EXPECT_EQ(chat_fault(R"({"model":"m"})").field(), "messages");
  EXPECT_EQ(chat_fault(R"({"model":1})").field(), "model");
  EXPECT_EQ(wrong_field(R"(,"n":1,"n":1)"), "n");
  for (const auto* const none : {"", "[]", "null", "{", R"({"model":"m)", R"({"model":"m"}})"}) {
    EXPECT_NE(chat_fault(none).text(), "") << none;
  }
  EXPECT_NE(chat_fault(chat_with("") + "x").text(), "");
}

TEST(CompletionRequest, has_openais_default_of_tokens) {
  EXPECT_EQ(completion_input("").tokens_max, 16U);
  EXPECT_EQ(completion_input(R"(,"max_tokens":5)").tokens_max, 5U);
  EXPECT_EQ(completion_input(R"(,"n_predict":-1)").tokens_max, 0U);
}

Result<std::vector<Prompt>> prompts(std::string_view value) {
  auto call =
      read_completion(body_of(R"({"model":"m","prompt":)" + std::string(value) + "}")->text());
  if (!call.ok()) return call.status();
  std::vector<Prompt> out;
  for (GenerationInput& input : call->inputs) out.push_back(std::get<Prompt>(input.prompt));
  return out;
}

TEST(CompletionRequest, takes_texts_and_tokens_alone_and_in_lists) {
  EXPECT_EQ(prompts(R"("once")")->at(0).text, "once");
  const auto texts = prompts(R"(["a","b"])");
  ASSERT_EQ(texts->size(), 2U);
  EXPECT_EQ(texts->at(1).text, "b");
  EXPECT_EQ(prompts("[1,2]")->at(0).tokens, (std::vector<Token>{1, 2}));
  const auto lists = prompts("[[1],[2,3]]");
  ASSERT_EQ(lists->size(), 2U);
  EXPECT_EQ(lists->at(1).tokens, (std::vector<Token>{2, 3}));
}

TEST(CompletionRequest, refuses_prompts_that_are_none) {
  for (const auto* const wrong :
       {"1",
        "{}",
        "[]",
        "[[]]",
        R"(["a",1])",
        R"([1,"a"])",
        "[-1]",
        "[1.5]",
        "[2147483648]",
        "[[1],2]",
        "[null]"}) {
    EXPECT_EQ(prompts(wrong).status().field(), "prompt") << wrong;
  }
  EXPECT_EQ(prompts("null").status().text(), "you must provide a 'prompt' parameter");
  std::string many = "\"a\"";
  for (std::size_t i = 0; i < kPromptsMax; ++i) many += ",\"a\"";
  EXPECT_EQ(prompts("[" + many + "]").status().field(), "prompt");
}

TEST(CompletionRequest, every_prompt_gets_the_same_settings) {
  const auto call = read_completion(
      body_of(R"({"model":"m","prompt":["a","b"],"echo":true,"logprobs":2,"seed":3,"n":2})")->text()
  );
  ASSERT_TRUE(call.ok()) << call.status().text();
  ASSERT_EQ(call->inputs.size(), 2U);
  for (const GenerationInput& input : call->inputs) {
    EXPECT_TRUE(std::get<Prompt>(input.prompt).echo);
    EXPECT_EQ(input.top_logprobs, 2U);
    EXPECT_EQ(input.sampling.seed, 3U);
    EXPECT_EQ(input.sequences, 2U);
  }
}

TEST(CompletionRequest, bounds_all_choices_together) {
  const auto fault = [](std::string_view fields) {
    return read_completion(
               body_of(R"({"model":"m","prompt":["a","b"])" + std::string(fields) + "}")->text()
    )
        .status()
        .field();
  };
  EXPECT_EQ(fault(R"(,"n":64)"), "");
  EXPECT_EQ(fault(R"(,"n":65)"), "n");
  EXPECT_EQ(fault(R"(,"best_of":65)"), "n");
}

TEST(CompletionRequest, fields_of_chats_are_unknown_to_it) {
  const auto fault = [](std::string_view fields) {
    return read_completion(body_of(completion_with(fields))->text()).status().field();
  };
  EXPECT_EQ(fault(R"(,"messages":[])"), "messages");
  EXPECT_EQ(fault(R"(,"suffix":"x")"), "suffix");
  EXPECT_EQ(fault(R"(,"suffix":"")"), "");
  EXPECT_EQ(fault(R"(,"logprobs":21)"), "logprobs");
  EXPECT_EQ(fault(R"(,"echo":1)"), "echo");
}

TEST(GenerationRequest, a_request_bounds_what_is_foretold_of_it) {
  EXPECT_EQ(chat_input("").draft_tokens_max, std::nullopt);
  EXPECT_EQ(chat_input(R"(,"speculative.n_max":0)").draft_tokens_max, 0u);
  EXPECT_EQ(completion_input(R"(,"speculative.n_max":7)").draft_tokens_max, 7u);
  EXPECT_EQ(wrong_field(R"(,"speculative.n_max":-1)"), "speculative.n_max");
  EXPECT_EQ(wrong_field(R"(,"speculative.n_max":"off")"), "speculative.n_max");
  EXPECT_EQ(wrong_field(R"(,"speculative.n_max":1,"speculative.n_max":2)"), "speculative.n_max");
}

TEST(GenerationRequest, what_else_llama_server_knows_of_speculation_is_refused_by_name) {
  EXPECT_EQ(
      chat_input(R"(,"speculative.n_min":0,"speculative.p_min":0.0)").draft_tokens_max, std::nullopt
  );
  EXPECT_EQ(wrong_field(R"(,"speculative.n_min":2)"), "speculative.n_min");
  EXPECT_EQ(wrong_field(R"(,"speculative.p_min":0.75)"), "speculative.p_min");
  EXPECT_EQ(wrong_field(R"(,"speculative.type":"draft")"), "speculative.type");
}

}  // namespace
}  // namespace cortex::frontend::openai
