// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_codec.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/ollama/ollama_models.h"
#include "frontend/codec/ollama/ollama_reply.h"
#include "frontend/codec/ollama/ollama_request.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::ollama {
namespace {

using testing::body_of;
using testing::call;
using testing::FakeExchange;

OllamaCall chat_of(std::string_view json) {
  auto call = read_chat(body_of(json)->text());
  EXPECT_TRUE(call.ok()) << json << ": " << call.status().text();
  return call.ok() ? std::move(*call) : OllamaCall();
}

OllamaCall generate_of(std::string_view json) {
  auto call = read_generate(body_of(json)->text());
  EXPECT_TRUE(call.ok()) << json << ": " << call.status().text();
  return call.ok() ? std::move(*call) : OllamaCall();
}

const Conversation& conversation(const OllamaCall& call) {
  return std::get<Conversation>(call.input.prompt);
}

TEST(OllamaRequest, reads_a_chat) {
  const OllamaCall asked = chat_of(
      R"({"model":"m:latest","stream":false,"format":"json","think":false,"keep_alive":"5m",)"
      R"("messages":[{"role":"system","content":"s"},{"role":"user","content":"hi","images":[]},)"
      R"({"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a": 1}}}]},)"
      R"({"role":"tool","tool_name":"f","content":"4"}],)"
      R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],)"
      R"("options":{"temperature":0,"top_p":0.5,"top_k":3,"min_p":0.25,"repeat_penalty":1.5,"repeat_last_n":-1,)"
      R"("seed":7,"num_predict":9,"stop":["x"],"mirostat":1,"num_ctx":4096}})"
  );
  EXPECT_EQ(asked.model, "m:latest");
  EXPECT_EQ(plain_name(asked.model), "m");
  EXPECT_FALSE(asked.stream);
  EXPECT_FALSE(asked.loads);
  EXPECT_EQ(asked.input.format.kind, OutputFormat::Kind::kJsonObject);
  EXPECT_EQ(asked.input.tokens_max, 9U);
  EXPECT_EQ(asked.input.stop, (std::vector<std::string>{"x"}));
  const SamplingSettings& sampling = asked.input.sampling;
  EXPECT_EQ(sampling.temperature, 0);
  EXPECT_EQ(sampling.top_p, 0.5F);
  EXPECT_EQ(sampling.top_k, 3);
  EXPECT_EQ(sampling.min_p, 0.25F);
  EXPECT_EQ(sampling.repeat_penalty, 1.5F);
  EXPECT_EQ(sampling.penalty_last, -1);
  EXPECT_EQ(sampling.seed, 7U);
  EXPECT_EQ(sampling.mirostat, 1);
  const Conversation& said = conversation(asked);
  EXPECT_EQ(said.template_arguments, R"({"enable_thinking":false})");
  ASSERT_EQ(said.messages.size(), 4U);
  EXPECT_EQ(said.messages[2].reasoning, "hm");
  EXPECT_EQ(said.messages[2].tool_calls.at(0).arguments, R"({"a": 1})");
  EXPECT_EQ(said.messages[3].role, Role::kTool);
  ASSERT_EQ(said.tools.size(), 1U);
  EXPECT_EQ(said.tools[0].parameters, R"({"type":"object"})");
}

TEST(OllamaRequest, has_ollamas_defaults) {
  const OllamaCall asked = chat_of(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  EXPECT_TRUE(asked.stream);
  EXPECT_EQ(asked.input.sampling.temperature, 0.8F);
  EXPECT_EQ(asked.input.sampling.top_k, 40);
  EXPECT_EQ(asked.input.sampling.top_p, 0.9F);
  EXPECT_EQ(asked.input.tokens_max, 0U);
  EXPECT_TRUE(chat_of(R"({"model":"m"})").loads);
}

TEST(OllamaRequest, a_prompt_is_a_conversation_unless_it_is_raw) {
  const OllamaCall asked =
      generate_of(R"({"model":"m","prompt":"hi","system":"s","format":{"a":1}})");
  ASSERT_EQ(conversation(asked).messages.size(), 2U);
  EXPECT_EQ(conversation(asked).messages[0].role, Role::kSystem);
  EXPECT_EQ(conversation(asked).messages[1].content, "hi");
  EXPECT_EQ(asked.input.format.text, R"({"a":1})");
  const OllamaCall raw = generate_of(R"({"model":"m","prompt":"hi","raw":true})");
  EXPECT_EQ(std::get<Prompt>(raw.input.prompt).text, "hi");
}

TEST(OllamaRequest, alternatives_count_where_log_probabilities_are_asked_for) {
  const auto asked = [](std::string_view fields) {
    const std::string rest = std::string(fields) + "}";
    const auto chat = chat_of(R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + rest);
    const auto generation = generate_of(R"({"model":"m","prompt":"hi")" + rest);
    EXPECT_EQ(chat.input.top_logprobs, generation.input.top_logprobs);
    return chat.input.top_logprobs;
  };
  EXPECT_EQ(asked(""), std::nullopt);
  EXPECT_EQ(asked(R"(,"logprobs":false)"), std::nullopt);
  EXPECT_EQ(asked(R"(,"top_logprobs":3)"), std::nullopt) << "as with Ollama";
  EXPECT_EQ(asked(R"(,"logprobs":true)"), 0U);
  EXPECT_EQ(asked(R"(,"top_logprobs":20,"logprobs":true)"), 20U);
}

TEST(OllamaRequest, refuses_by_name) {
  const std::pair<std::string, std::string> wrong[] = {
      {R"({})", "model"},
      {R"({"model":"m","messages":[{"role":"x"}]})", "messages[0].role"},
      {R"({"model":"m","messages":[{"role":"user","images":["aGk="]}]})", "messages[0].images"},
      {R"({"model":"m","messages":{}})", "messages"},
      {R"({"model":"m","options":{"temperature":3}})", "options.temperature"},
      {R"({"model":"m","options":{"top_k":-1}})", "options.top_k"},
      {R"({"model":"m","options":{"num_predict":0}})", "options.num_predict"},
      {R"({"model":"m","options":{"stop":[""]}})", "options.stop"},
      {R"({"model":"m","options":[]})", "options"},
      {R"({"model":"m","format":"xml"})", "format"},
      {R"({"model":"m","think":1})", "think"},
      {R"({"model":"m","logprobs":1})", "logprobs"},
      {R"({"model":"m","logprobs":true,"top_logprobs":21})", "top_logprobs"},
      {R"({"model":"m","top_logprobs":-1})", "top_logprobs"},
      {R"({"model":"m","tools":[{"function":{}}]})", "tools[0].function.name"},
  };
  for (const auto& [json, field] : wrong) {
    const Status status = read_chat(body_of(json)->text()).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << json;
    EXPECT_EQ(status.field(), field) << json;
  }
  for (const auto* const field : {"suffix", "template", "context"}) {
    const std::string body = R"({"model":"m","prompt":"a",")" + std::string(field) + R"(":"x"})";
    EXPECT_EQ(read_generate(body_of(body)->text()).status().field(), field);
  }
  for (const auto* const none : {"", "[]", "{", R"({"model":"m"}})"}) {
    EXPECT_FALSE(read_chat(body_of(none)->text()).ok()) << none;
  }
}

// "m" generates, "t" embeds texts, "r" ranks them, and "n" takes tensors.
registry::Handle served(const std::string& name) {
  auto version = std::make_shared<registry::ServingVersion>();
  version->identity = {name, "1"};
  if (name == "m") {
    version->signature.generates = true;
    version->platform = "llama_gguf";
    version->facts = {
        {"llama", "Q4_K_M", 134'515'008, 576}, 1000, 1'700'000'001'000, "d1", 8192, "{{ j }}", false
    };
  }
  if (name == "t" || name == "r") {
    version->platform = "onnxruntime_onnx";
    version->config.text.tokenizer = "vocab.txt";
    version->config.text.pooling = name == "r" ? Pooling::kRank : Pooling::kMean;
    version->facts.file_bytes = 77;
    version->facts.digest = "d2";
    version->facts.context_length = 256;
  }
  return version;
}

// A codec over these models.
struct Played {
  std::vector<GenerationOutput> parts;
  Status end;
  std::shared_ptr<const Request> asked;
  OllamaCodec codec{catalog(), submit(), {"1.2.3", [] { return 1'700'000'000'042; }}};
  Api api = codec.make_api();

  static ModelCatalog catalog() {
    ModelCatalog out;
    out.ready_models = [] { return std::vector<std::string>{"m", "n", "r", "t"}; };
    out.find = [](const ModelReference& reference) -> Result<registry::Handle> {
      if (reference.name == "x") return not_found("no such model");
      return served(reference.name);
    };
    out.index = [] {
      registry::IndexEntry entry{"m", "1", registry::VersionState::kReady, ""};
      entry.memory_bytes = 5000;
      return std::vector<registry::IndexEntry>{entry};
    };
    return out;
  }

  Submit submit() {
    return [this](
               std::shared_ptr<const Request> request, const std::shared_ptr<ResponseStream>& stream
           ) {
      asked = std::move(request);
      if (std::holds_alternative<EmbeddingInput>(asked->input)) {
        Timings timings;
        timings.input_tokens = 3;
        return stream->finish(EmbeddingOutput{2, {0.5F, -1, 1, 2}}, timings);
      }
      for (const GenerationOutput& part : parts) {
        if (!stream->write(GenerationOutput(part))) break;
      }
      Timings timings;
      timings.input_tokens = 7;
      timings.output_tokens = 5;
      stream->finish(end, timings);
    };
  }

  std::shared_ptr<FakeExchange> post(std::string_view pattern, std::string_view body) {
    HttpRequest http;
    http.body = body_of(body);
    return call(api, Method::kPost, pattern, std::move(http));
  }
};

std::vector<GenerationOutput> everything() {
  GenerationOutput thought;
  thought.reasoning = "hm";
  GenerationOutput said;
  said.text = "a";
  said.tool_calls = {{0, "t1", "f", "{\n\"x\":"}};
  GenerationOutput last;
  last.tool_calls = {{0, "", "", "1}"}};
  last.finish = FinishReason::kToolCalls;
  return {thought, said, last};
}

constexpr std::string_view kHead =
    R"({"model":"m:latest","created_at":"2023-11-14T22:13:20.042Z",)";

TEST(Ollama, streams_lines) {
  Played model;
  model.parts = everything();
  const auto exchange = model.post(
      "/api/chat", R"({"model":"m:latest","messages":[{"role":"user","content":"hi"}]})"
  );
  EXPECT_EQ(model.asked->model.name, "m");
  EXPECT_EQ(exchange->head()->content_type, "application/x-ndjson");
  const std::string head(kHead);
  const std::string expected =
      head + R"("message":{"role":"assistant","content":"","thinking":"hm"},"done":false})" + "\n" +
      head + R"("message":{"role":"assistant","content":"a"},"done":false})" + "\n" + head +
      R"("message":{"role":"assistant","content":"","tool_calls":[{"id":"t1","function":{"index":0,"name":"f","arguments":{ "x":1}}}]},"done":false})" +
      "\n" + head +
      R"("message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":)";
  EXPECT_TRUE(exchange->streamed().starts_with(expected)) << exchange->streamed();
  EXPECT_NE(exchange->streamed().find(R"("prompt_eval_count":7,)"), std::string::npos);
  EXPECT_NE(exchange->streamed().find(R"("eval_count":5,)"), std::string::npos);
  EXPECT_TRUE(exchange->streamed().ends_with("}\n"));
}

TEST(Ollama, answers_whole) {
  Played model;
  model.parts = everything();
  const std::string whole =
      model.post("/api/generate", R"({"model":"m:latest","prompt":"hi","stream":false})")->bytes();
  EXPECT_TRUE(
      whole.starts_with(std::string(kHead) + R"("response":"a","thinking":"hm","tool_calls":[)")
  ) << whole;
  EXPECT_NE(whole.find(R"("done":true,"done_reason":"stop")"), std::string::npos);
}

TEST(Ollama, log_probabilities_stand_beside_what_is_said) {
  Played model;
  GenerationOutput said;
  said.text = "a";
  said.tokens = {{1, "a", -0.5F, {{1, "a", -0.5F}, {2, "\xc3", -1}}}};
  GenerationOutput last;
  last.tokens = {{3, "", -2, {}}};
  last.finish = FinishReason::kStop;
  model.parts = {said, last};
  const std::string first =
      R"({"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]},)"
      "{\"token\":\"\xef\xbf\xbd\",\"logprob\":-1,\"bytes\":[195]}]}";
  const std::string second = R"({"token":"","logprob":-2,"bytes":[],"top_logprobs":[]})";
  const std::string whole = model
                                .post(
                                    "/api/generate",
                                    R"({"model":"m:latest","prompt":"hi","stream":false,)"
                                    R"("logprobs":true,"top_logprobs":2})"
                                )
                                ->bytes();
  EXPECT_EQ(std::get<GenerationInput>(model.asked->input).top_logprobs, 2U);
  EXPECT_TRUE(whole.starts_with(
      std::string(kHead) + R"("response":"a","logprobs":[)" + first + "," + second +
      R"(],"done":true,)"
  )) << whole;
  const std::string lines =
      model
          .post(
              "/api/chat",
              R"({"model":"m:latest","messages":[{"role":"user","content":"hi"}],"logprobs":true})"
          )
          ->streamed();
  const std::string head = std::string(kHead) + R"("message":{"role":"assistant","content":")";
  EXPECT_TRUE(lines.starts_with(
      head + R"(a"},"logprobs":[)" + first + R"(],"done":false})" + "\n" + head +
      R"("},"logprobs":[)" + second + R"(],"done":false})" + "\n" + head + R"("},"done":true,)"
  )) << lines;
}

TEST(Ollama, a_call_that_was_cut_does_not_come) {
  Played model;
  const auto calls = [&](FinishReason finish, std::string stop, std::string arguments) {
    GenerationOutput out;
    out.tool_calls = {{0, "t", "f", "{broken"}, {1, "u", "g", std::move(arguments)}};
    out.finish = finish;
    out.stop = std::move(stop);
    model.parts = {out};
    constexpr std::string_view kAsked =
        R"({"model":"m","messages":[{"role":"user","content":"hi"}],"stream":)";
    const auto cut_out = [](const std::string& text) {
      const std::size_t begin = text.find("\"tool_calls\":");
      return text.substr(begin, text.find(",\"done\"") - begin);
    };
    const std::string whole = model.post("/api/chat", std::string(kAsked) + "false}")->bytes();
    const std::string lines = model.post("/api/chat", std::string(kAsked) + "true}")->streamed();
    EXPECT_EQ(cut_out(whole), cut_out(lines));
    return cut_out(whole);
  };
  const std::string first =
      R"("tool_calls":[{"id":"t","function":{"index":0,"name":"f","arguments":{"arguments":"{broken"}}})";
  const std::string second = R"(,{"id":"u","function":{"index":1,"name":"g","arguments":)";
  const std::string begun = R"({"city": ")";
  const std::string ended = R"({"city": "Oslo"})";
  EXPECT_EQ(calls(FinishReason::kLength, "", begun), first + "]}");
  EXPECT_EQ(calls(FinishReason::kStop, "Os", begun), first + "]}");
  EXPECT_EQ(calls(FinishReason::kLength, "", ended), first + second + ended + "}}]}");
  EXPECT_EQ(
      calls(FinishReason::kToolCalls, "", begun),
      first + second + R"({"arguments":"{\"city\": \""}}}]})"
  ) << "the model ended there";
}

TEST(Ollama, a_chat_of_nothing_asks_for_the_model) {
  Played model;
  EXPECT_EQ(
      model.post("/api/chat", R"({"model":"m:latest"})")->bytes(),
      std::string(kHead) +
          R"("message":{"role":"assistant","content":""},"done":true,"done_reason":"load"})"
  );
  EXPECT_EQ(model.post("/api/generate", R"({"model":"x"})")->failure().code(), Code::kNotFound);
}

TEST(Ollama, errors_are_ollamas) {
  Played model;
  GenerationOutput said;
  said.text = "a";
  model.parts = {said};
  model.end = unavailable("gone");
  EXPECT_TRUE(model
                  .post("/api/chat", R"({"model":"m","messages":[{"role":"user","content":"hi"}]})")
                  ->streamed()
                  .ends_with("{\"error\":\"gone\"}\n"));
  EXPECT_EQ(model.api.error_body(503, model.end, ""), R"({"error":"gone"})");
}

TEST(Ollama, embeds) {
  Played model;
  const std::string whole = model.post("/api/embed", R"({"model":"t","input":["a","b"]})")->bytes();
  EXPECT_TRUE(whole.starts_with(R"({"model":"t","embeddings":[[0.5,-1],[1,2]],"total_duration":)"))
      << whole;
  EXPECT_TRUE(whole.ends_with(R"("load_duration":0,"prompt_eval_count":3})")) << whole;
  EXPECT_EQ(
      model.post("/api/embed", R"({"model":"t","input":"a"})")->failure().code(), Code::kInternal
  ) << "two vectors for one text";
  const auto field = [&](std::string_view body) {
    return model.post("/api/embed", body)->failure().field();
  };
  EXPECT_EQ(field(R"({"input":"a"})"), "model");
  EXPECT_EQ(field(R"({"model":"t"})"), "input");
  EXPECT_EQ(field(R"({"model":"t","input":[""]})"), "input");
  EXPECT_EQ(field(R"({"model":"t","input":[1]})"), "input");
  EXPECT_EQ(field(R"({"model":"t","input":"a","dimensions":2})"), "dimensions");
}

constexpr std::string_view kLanguageDetails =
    R"("details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],)"
    R"("parameter_size":"134.52M","quantization_level":"Q4_K_M"})";
constexpr std::string_view kTextDetails =
    R"("details":{"parent_model":"","format":"onnx","family":"","families":[],)"
    R"("parameter_size":"","quantization_level":""})";

TEST(Ollama, lists_language_models_and_those_that_embed_texts) {
  Played model;
  EXPECT_EQ(
      call(model.api, Method::kGet, "/api/tags")->bytes(),
      R"({"models":[{"name":"m:latest","model":"m:latest","modified_at":"2023-11-14T22:13:21.000Z",)"
      R"("size":1000,"digest":"d1",)" +
          std::string(kLanguageDetails) +
          R"(},{"name":"t:latest","model":"t:latest","modified_at":"2023-11-14T22:13:20.042Z",)"
          R"("size":77,"digest":"d2",)" +
          std::string(kTextDetails) + "}]}"
  );
}

TEST(Ollama, lists_what_is_in_memory) {
  Played model;
  const std::string running = call(model.api, Method::kGet, "/api/ps")->bytes();
  EXPECT_NE(running.find(R"("size":5000,"digest":"d1",)"), std::string::npos) << running;
  EXPECT_NE(running.find(R"("size":77,"digest":"d2",)"), std::string::npos) << running;
  EXPECT_NE(
      running.find(
          R"(,"size_vram":0,"expires_at":"9999-12-31T23:59:59.000Z","context_length":8192})"
      ),
      std::string::npos
  ) << running;
}

TEST(Ollama, shows_a_model_and_the_version) {
  Played model;
  EXPECT_EQ(
      model.post("/api/show", R"({"model":"m:latest"})")->bytes(),
      R"({"modelfile":"","parameters":"num_ctx                        8192",)"
      R"("template":"{{ j }}","modified_at":"2023-11-14T22:13:21.000Z",)" +
          std::string(kLanguageDetails) +
          R"(,"model_info":{"general.architecture":"llama","general.parameter_count":134515008,)"
          R"("llama.context_length":8192,"llama.embedding_length":576},)"
          R"("capabilities":["completion","tools"]})"
  );
  EXPECT_EQ(
      model.post("/api/show", R"({"name":"t"})")->bytes(),
      R"({"modelfile":"","parameters":"num_ctx                        256","template":"",)"
      R"("modified_at":"2023-11-14T22:13:20.042Z",)" +
          std::string(kTextDetails) +
          R"(,"model_info":{"onnx.context_length":256},"capabilities":["embedding"]})"
  );
  EXPECT_EQ(model.post("/api/show", R"({"model":"r"})")->failure().code(), Code::kNotFound);
  EXPECT_EQ(model.post("/api/show", R"({"model":"n"})")->failure().code(), Code::kNotFound);
  EXPECT_EQ(model.post("/api/show", R"({"model":"x"})")->failure().code(), Code::kNotFound);
  EXPECT_EQ(model.post("/api/show", "{}")->failure().field(), "model");
  EXPECT_EQ(call(model.api, Method::kGet, "/api/version")->bytes(), R"({"version":"1.2.3"})");
}

TEST(Ollama, a_model_is_capable_of_what_it_is_served_for) {
  const auto shown = [](const std::string& chat_template, bool thinking) {
    registry::ServingVersion version = *served("m");
    version.facts.chat_template = chat_template;
    version.facts.thinking = thinking;
    const std::string text = shown_text(version, 0);
    return text.substr(text.find("\"capabilities\""));
  };
  EXPECT_EQ(shown("", false), R"("capabilities":["completion"]})") << "it takes prompts alone";
  EXPECT_EQ(shown("a", false), R"("capabilities":["completion","tools"]})");
  EXPECT_EQ(shown("a", true), R"("capabilities":["completion","tools","thinking"]})");
}

TEST(Ollama, parameters_are_counted_for_people) {
  const std::pair<std::uint64_t, std::string_view> rows[] = {
      {999, "999"},
      {12'345, "12K"},
      {22'713'216, "22.71M"},
      {134'515'008, "134.52M"},
      {7'000'000, "7M"},
      {8'030'261'248, "8.0B"},
      {70'000'000'000, "70B"},
  };
  for (const auto& [parameters, text] : rows) EXPECT_EQ(parameter_size(parameters), text);
}

}  // namespace
}  // namespace cortex::frontend::ollama
