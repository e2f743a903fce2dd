// SPDX-License-Identifier: Apache-2.0
#include "app/model_loader.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/language_model.h"
#include "backend/llama/llama_engine.h"
#include "backend/onnx/onnx_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "backend/synthetic/synthetic_sequences.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/onnx_writer.h"
#include "base/mutex.h"
#include "registry/complete_config.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ModelLoader : public testing::Test {
 protected:
  ModelLoader() {
    folder_ = fs::path(testing::TempDir()) / ("cortex_loader_" + std::to_string(getpid())) / "m";
    fs::create_directories(folder_ / "1");
    engines_["synthetic"] = std::make_shared<backend::SyntheticEngine>();
    config_.name = "m";
    config_.backend = "synthetic";
  }
  ~ModelLoader() override { fs::remove_all(folder_.parent_path()); }

  Result<registry::LoadedModel> load() {
    LoaderParts parts{engines_, cores_, lanes_, cpu_, steady_clock()};
    parts.sequences = &sequences_;
    return make_loader(parts)(config_, folder_ / "1", 1);
  }

  // The parts of an answer, in their order.
  static Result<std::vector<ResponsePart>> parts_of(
      Servable& servable, decltype(Request::input) input
  ) {
    auto request = std::make_shared<Request>();
    request->arrival = steady_clock().now();
    request->input = std::move(input);
    auto stream = std::make_shared<ResponseStream>(100);
    struct Wait {
      Mutex mutex;
      Condition changed;
      bool news = false;
    };
    auto wait = std::make_shared<Wait>();
    stream->on_ready([wait] {
      MutexLock lock(wait->mutex);
      wait->news = true;
      wait->changed.notify_all();
    });
    servable.submit(std::move(request), stream);
    std::vector<ResponsePart> out;
    for (;;) {
      while (auto part = stream->read()) out.push_back(std::move(*part));
      if (stream->finished()) break;
      const TimePoint deadline = steady_clock().now() + std::chrono::seconds(30);
      MutexLock lock(wait->mutex);
      while (!wait->news) {
        if (!wait->changed.wait_until(wait->mutex, deadline)) return deadline_exceeded("no answer");
      }
      wait->news = false;
    }
    if (!stream->status().ok()) return stream->status();
    return out;
  }

  // What a language model says to a question, temperature 0.
  static Result<std::string> answer(Servable& servable, const std::string& question) {
    Conversation conversation;
    conversation.messages.emplace_back();
    conversation.messages.back().content = question;
    GenerationInput input;
    input.prompt = std::move(conversation);
    input.tokens_max = 20;
    input.sampling.temperature = 0;
    CORTEX_ASSIGN_OR_RETURN(const auto parts, parts_of(servable, std::move(input)));
    std::string out;
    for (const ResponsePart& part : parts) out += std::get<GenerationOutput>(part).text;
    return out;
  }

  // The vectors of texts, one behind the other.
  static Result<EmbeddingOutput> embedding(
      Servable& servable, const std::vector<std::string>& texts
  ) {
    CORTEX_ASSIGN_OR_RETURN(auto parts, parts_of(servable, EmbeddingInput{texts, {}, true}));
    if (parts.size() != 1) return internal("an embedding is one part");
    return std::get<EmbeddingOutput>(std::move(parts.front()));
  }
  void write(const fs::path& name, std::string_view text) { std::ofstream(folder_ / name) << text; }

  fs::path folder_;
  Engines engines_;
  SequenceEngines sequences_ = {
      {"llama", std::make_shared<backend::LlamaEngine>()},
      {"synthetic_sequences", std::make_shared<backend::SyntheticSequenceEngine>()}
  };
  CoreBudget cores_{2};
  LaneDirectory lanes_{10};
  ThreadPool cpu_{"cpu", 1, 8};
  ModelConfig config_;
};

TEST_F(ModelLoader, makes_a_lane_that_answers) {
  write("1/model.synthetic", "result: identity\ninputs: INPUT0 FP32 [-1,2]\n");
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->platform, "synthetic");
  ASSERT_EQ(loaded->signature.inputs.size(), 1u);
  ASSERT_NE(loaded->servable, nullptr);
}

// Softmax over one dimension of X [-1,2], without a word of its owner.
std::string softmax_over(std::int64_t axis) {
  backend::testing::OnnxModel model;
  model.graph.inputs = {{"X", DataType::kFp32, {-1, 2}}};
  model.graph.outputs = {{"Y", DataType::kFp32, {-1, 2}}};
  model.graph.nodes = {{"Softmax", {"X"}, {"Y"}, {{"axis", axis}}, {}, {}}};
  return serialize(model);
}

TEST_F(ModelLoader, batches_rows_that_stand_alone_and_no_others) {
  engines_["onnx"] = std::make_shared<backend::OnnxEngine>();
  config_.backend = "onnx";
  config_.open.batch_size = true;
  write("1/model.onnx", softmax_over(1));
  const auto batched = load();
  ASSERT_TRUE(batched.ok()) << batched.status().to_string();
  EXPECT_EQ(batched->config.max_batch_size, registry::kDerivedBatchSize);
  EXPECT_TRUE(batched->config.batching.enabled);
  write("1/model.onnx", softmax_over(0));
  const auto whole = load();
  ASSERT_TRUE(whole.ok()) << whole.status().to_string();
  EXPECT_EQ(whole->config.max_batch_size, 0u);
  EXPECT_FALSE(whole->config.batching.enabled);
  EXPECT_EQ(whole->config.inputs.at(0).shape, (Shape{-1, 2}));
}

TEST_F(ModelLoader, tells_the_configuration_in_force) {
  write("1/model.synthetic", "result: identity\ninputs: INPUT0 FP32 [-1,2]\n");
  const auto by_cores = load();
  ASSERT_TRUE(by_cores.ok()) << by_cores.status().to_string();
  EXPECT_EQ(by_cores->config.default_filename, "model.synthetic");
  const CoreBudget::Plan plan = cores_.plan(0, 0);
  EXPECT_EQ(by_cores->config.instances, plan.instances);
  EXPECT_EQ(by_cores->config.threads, plan.threads_per_instance);
  config_.instances = 3;
  config_.threads = 1;
  EXPECT_EQ(load()->config.instances, 3u);
  EXPECT_EQ(load()->config.threads, 1u);
}

TEST_F(ModelLoader, names_a_backend_that_is_not_there) {
  config_.backend = "tarot";
  EXPECT_THAT(load().status().text(), HasSubstr("there is no backend 'tarot'"));
}

TEST_F(ModelLoader, fails_the_load_when_a_declared_warm_up_fails_and_names_it) {
  write("1/model.synthetic", "result: identity\ninputs: INPUT0 FP32 [-1,2]\nfail_at: 2\n");
  WarmupSample sample;
  sample.name = "first";
  sample.count = 3;
  sample.inputs = {{"INPUT0", DataType::kFp32, {1, 2}, false}};
  config_.warmup = {sample};
  EXPECT_THAT(load().status().text(), HasSubstr("warm-up 'first'"));
}

TEST_F(ModelLoader, runs_declared_warm_ups_of_every_kind_of_value) {
  write(
      "1/model.synthetic",
      "result: identity\ninputs: INPUT0 BYTES [-1]; INPUT1 INT64 [-1]; INPUT2 FP32 [-1]\n"
  );
  WarmupSample sample;
  sample.name = "mixed";
  sample.random = true;
  sample.inputs = {
      {"INPUT0", DataType::kBytes, {2}, false},
      {"INPUT1", DataType::kInt64, {2}, false},
      {"INPUT2", DataType::kFp32, {2}, false}
  };
  config_.warmup = {sample};
  EXPECT_TRUE(load().ok()) << load().status().to_string();
}

TEST_F(ModelLoader, puts_tokeniser_and_pooling_before_a_text_model) {
  write("1/model.synthetic", "result: text\n");
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwarm\nup\n");
  config_.text.tokenizer = "vocab.txt";
  const auto loaded = load();
  EXPECT_TRUE(loaded.ok()) << loaded.status().to_string();
}

TEST_F(ModelLoader, names_a_tokenizer_that_is_missing) {
  write("1/model.synthetic", "result: text\n");
  config_.text.tokenizer = "absent.json";
  EXPECT_THAT(load().status().text(), HasSubstr("absent.json"));
}

TEST_F(ModelLoader, makes_a_language_model_that_answers) {
  config_.backend = "synthetic_sequences";
  write("1/sequences.synthetic", "reply: script\nanswer: you said {}\n");
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_TRUE(loaded->signature.generates);
  EXPECT_EQ(loaded->platform, "synthetic_sequences");
  const auto said = answer(*loaded->servable, "hi");
  ASSERT_TRUE(said.ok()) << said.status().to_string();
  EXPECT_EQ(*said, "you said hi");
}

TEST_F(ModelLoader, makes_a_language_model_of_a_gguf_file) {
  config_.backend = "llama";
  backend::testing::TinyGgufOptions tiny;
  tiny.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  write("1/model.gguf", backend::testing::tiny_gguf(tiny));
  config_.generation.cells = 512;
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->platform, "llama_gguf");
  const auto first = answer(*loaded->servable, "hi");
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_EQ(*first, *answer(*loaded->servable, "hi"));  // from the prefix cache
  EXPECT_EQ(loaded->facts.weights.architecture, "llama");
  EXPECT_EQ(loaded->facts.context_length, 512u);
  EXPECT_EQ(loaded->facts.chat_template, tiny.chat_template);
  EXPECT_FALSE(loaded->facts.thinking);
}

// One whose memory cannot be cut: a part of a text cannot be shared.
class UncutModel : public ModelLoader,
                   public testing::WithParamInterface<
                       std::string (*)(const backend::testing::TinyGgufOptions&)> {};

INSTANTIATE_TEST_SUITE_P(
    Memories,
    UncutModel,
    testing::Values(backend::testing::tiny_mamba_gguf, backend::testing::tiny_window_gguf)
);

TEST_P(UncutModel, answers_as_if_it_were_cold) {
  config_.backend = "llama";
  backend::testing::TinyGgufOptions tiny;
  tiny.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  write("1/model.gguf", GetParam()(tiny));
  config_.generation.cells = 512;
  const std::vector<std::string> questions = {"once upon a time there was", "once upon a time we"};
  std::vector<std::string> cold;
  for (const std::string& question : questions) {
    const auto loaded = load();
    ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
    const auto said = answer(*loaded->servable, question);
    ASSERT_TRUE(said.ok()) << said.status().to_string();
    EXPECT_FALSE(said->empty());
    cold.push_back(*said);
  }
  EXPECT_NE(cold[0], cold[1]);
  const auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  for (const std::size_t asked : {0U, 1U, 1U, 0U}) {
    const auto said = answer(*loaded->servable, questions[asked]);
    ASSERT_TRUE(said.ok()) << said.status().to_string();
    EXPECT_EQ(*said, cold[asked]);
  }
}

// Some models turn their keys by how much the memory holds.
TEST_F(ModelLoader, states_are_of_one_file_one_memory_and_one_set_of_parameters) {
  backend::SequenceModel model;
  model.digest = "d";
  model.cells = 512;
  const std::string first = state_model(config_, model);
  EXPECT_EQ(state_model(config_, model), first);
  model.cells = 1024;
  EXPECT_NE(state_model(config_, model), first);
  model.cells = 512;
  config_.parameters["cache_type_k"] = "q8_0";
  EXPECT_NE(state_model(config_, model), first);
}

TEST_F(ModelLoader, tells_what_the_files_of_a_version_are) {
  config_.backend = "llama";
  config_.generation.cells = 512;
  backend::testing::TinyGgufOptions tiny;
  tiny.chat_template = "{{ messages[0].content }}<think>";
  const std::string bytes = backend::testing::tiny_gguf(tiny);
  write("1/model.gguf", bytes);
  write("1/notes.txt", "12345");
  const auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->facts.file_bytes, bytes.size() + 5);
  EXPECT_EQ(loaded->facts.digest.size(), 64u);
  EXPECT_NEAR(
      static_cast<double>(loaded->facts.changed_ms), static_cast<double>(unix_milliseconds()), 6e4
  );
  EXPECT_TRUE(loaded->facts.thinking);
  tiny.chat_template = "{{";
  write("1/model.gguf", backend::testing::tiny_gguf(tiny));
  const auto changed = load();
  ASSERT_TRUE(changed.ok()) << changed.status().to_string();
  EXPECT_NE(changed->facts.digest, loaded->facts.digest);
  EXPECT_EQ(changed->facts.chat_template, "") << "one that is of no use";
}

TEST_F(ModelLoader, loads_a_draft_model_beside_a_language_model) {
  config_.backend = "llama";
  backend::testing::TinyGgufOptions tiny;
  tiny.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  write("1/model.gguf", backend::testing::tiny_gguf(tiny));
  config_.generation.cells = 512;
  auto alone = load();
  ASSERT_TRUE(alone.ok()) << alone.status().to_string();
  write("small.gguf", backend::testing::tiny_gguf());
  config_.generation.draft_model = "small.gguf";
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  const auto with = answer(*loaded->servable, "hi");
  ASSERT_TRUE(with.ok()) << with.status().to_string();
  EXPECT_EQ(*with, *answer(*alone->servable, "hi"));
}

TEST_F(ModelLoader, counts_the_memory_of_a_draft_model_to_the_model_that_has_it) {
  config_.backend = "llama";
  backend::testing::TinyGgufOptions tiny;
  tiny.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}";
  write("1/model.gguf", backend::testing::tiny_gguf(tiny));
  config_.generation.cells = 512;
  const auto alone = load();
  ASSERT_TRUE(alone.ok()) << alone.status().to_string();
  EXPECT_GT(alone->memory_bytes, 0u);
  config_.generation.draft_model = "model.gguf";
  const auto itself = load();
  ASSERT_TRUE(itself.ok()) << itself.status().to_string();
  EXPECT_EQ(itself->memory_bytes, 2 * alone->memory_bytes) << "its weights and cells once more";
  config_.generation.speculation = Speculation::kPromptLookup;
  const auto unused = load();
  ASSERT_TRUE(unused.ok()) << unused.status().to_string();
  EXPECT_EQ(unused->memory_bytes, alone->memory_bytes);
}

TEST_F(ModelLoader, names_a_token_that_a_draft_model_has_otherwise) {
  config_.backend = "llama";
  config_.generation.cells = 512;
  std::string bytes = backend::testing::tiny_gguf();
  write("1/model.gguf", bytes);
  const std::size_t end = bytes.find("</s>");
  ASSERT_NE(end, std::string::npos);
  bytes[end + 2] = 'z';
  write("small.gguf", bytes);
  config_.generation.draft_model = "small.gguf";
  EXPECT_THAT(
      load().status().text(),
      HasSubstr("generation.draft_model: its token 2 is another than the model's")
  );
}

TEST_F(ModelLoader, names_a_model_that_no_draft_model_can_help) {
  config_.backend = "synthetic_sequences";
  write("1/sequences.synthetic", "can_cut: false\n");
  write("1/small.synthetic", "");
  config_.generation.draft_model = "small.synthetic";
  EXPECT_THAT(
      load().status().text(),
      HasSubstr("generation.draft_model: the model's own memory cannot be cut")
  );
}

TEST_F(ModelLoader, names_a_draft_model_that_does_not_fit) {
  config_.backend = "synthetic_sequences";
  write("1/sequences.synthetic", "");
  config_.generation.draft_model = "small.synthetic";
  EXPECT_THAT(load().status().text(), HasSubstr("generation.draft_model: there is no file "));
  write("1/small.synthetic", "can_cut: false\n");
  EXPECT_THAT(
      load().status().text(), HasSubstr("generation.draft_model: its memory cannot be cut")
  );
  config_.generation.speculation = Speculation::kPromptLookup;
  EXPECT_TRUE(load().ok()) << "it is not wanted then";
}

TEST_F(ModelLoader, makes_a_text_model_of_a_gguf_file_that_was_trained_for_it) {
  config_.backend = "llama";
  config_.open = {.batch_size = true, .pad_lengths = true};
  write("1/model.gguf", backend::testing::tiny_bert_gguf());
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->platform, "llama_gguf");
  EXPECT_FALSE(loaded->signature.generates);
  EXPECT_EQ(loaded->config.max_batch_size, 32u);
  EXPECT_TRUE(loaded->config.batching.enabled);
  EXPECT_TRUE(loaded->config.batching.pad_lengths);
  EXPECT_EQ(loaded->config.text.tokenizer, "model.gguf");
  EXPECT_EQ(loaded->config.text.context_length, 64u);
  EXPECT_EQ(loaded->facts.context_length, 64u);
  EXPECT_EQ(loaded->facts.weights.architecture, "bert");
  EXPECT_GT(loaded->facts.file_bytes, 0u);
  const auto both = embedding(*loaded->servable, {"hello world", "warm up and down"});
  ASSERT_TRUE(both.ok()) << both.status().to_string();
  EXPECT_EQ(both->dimensions, 16u);
  ASSERT_EQ(both->values.size(), 32u);
  const auto second = embedding(*loaded->servable, {"warm up and down"});
  ASSERT_TRUE(second.ok());
  double length = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(both->values[16 + i], second->values[i], 1e-4);
    length += double{second->values[i]} * second->values[i];
  }
  EXPECT_NEAR(length, 1, 1e-4);
  EXPECT_GE(lanes_.counts().at({"m", "1"}).answered, 3u);
}

TEST_F(ModelLoader, makes_a_reranker_of_a_gguf_file_that_is_one) {
  config_.backend = "llama";
  config_.open = {.batch_size = true, .pad_lengths = true};
  write("1/model.gguf", backend::testing::tiny_bert_gguf({.pooling = 4, .classes = 1}));
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded->config.text.pooling, Pooling::kRank);
  const auto parts =
      parts_of(*loaded->servable, RerankInput{"hello", {"warm up", "hello world"}, true});
  ASSERT_TRUE(parts.ok()) << parts.status().to_string();
  EXPECT_EQ(std::get<RerankOutput>(parts->at(0)).scores.size(), 2u);
  EXPECT_FALSE(embedding(*loaded->servable, {"hello"}).ok());
}

TEST_F(ModelLoader, a_language_model_is_for_texts_where_its_configuration_names_a_pooling) {
  config_.backend = "llama";
  config_.text.pooling = Pooling::kLast;
  config_.text.context_length = 100;
  config_.max_batch_size = 4;
  write("1/model.gguf", backend::testing::tiny_gguf());
  auto loaded = load();
  ASSERT_TRUE(loaded.ok()) << loaded.status().to_string();
  EXPECT_FALSE(loaded->signature.generates);
  EXPECT_EQ(loaded->config.text.context_length, 100u);
  const auto vector = embedding(*loaded->servable, {"hi"});
  ASSERT_TRUE(vector.ok()) << vector.status().to_string();
  EXPECT_EQ(vector->dimensions, 32u);
  EXPECT_FALSE(answer(*loaded->servable, "hi").ok());
}

TEST_F(ModelLoader, a_gguf_text_model_has_one_instance) {
  config_.backend = "llama";
  config_.instances = 2;
  write("1/model.gguf", backend::testing::tiny_bert_gguf());
  EXPECT_THAT(load().status().text(), HasSubstr("has one instance"));
}

TEST_F(ModelLoader, a_gguf_file_that_is_none_is_named_with_the_reason) {
  config_.backend = "llama";
  write("1/model.gguf", "GGUF and nothing");
  EXPECT_THAT(load().status().text(), HasSubstr("model 'm': model.gguf: "));
  config_.text.pooling = Pooling::kMean;
  EXPECT_THAT(load().status().text(), HasSubstr("model 'm': model.gguf: "));
}

TEST_F(ModelLoader, a_template_of_one_s_own_stands_for_the_model_s_and_must_compile) {
  config_.backend = "synthetic_sequences";
  write("1/sequences.synthetic", "chat_template: none\nreply: script\nanswer: {}\n");
  EXPECT_EQ(answer(*load()->servable, "hi").status().code(), Code::kUnimplemented);
  config_.generation.chat_template = "chat.jinja";
  EXPECT_THAT(load().status().text(), HasSubstr("chat.jinja"));
  write("chat.jinja", "<|im_start|>user\n{{ messages[0].content }}<|im_end|>");
  EXPECT_TRUE(answer(*load()->servable, "hi").ok());
  write("chat.jinja", "{% for %}");
  EXPECT_THAT(load().status().text(), HasSubstr("generation.chat_template"));
}

}  // namespace
}  // namespace cortex::app
