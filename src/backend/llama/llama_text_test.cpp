// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TinyBertOptions;
using Ids = std::vector<std::int64_t>;
using Vector = std::vector<float>;

// Rows as a lane sends them: padded with zeros, which the mask leaves out.
TensorRun run_of(const std::vector<Ids>& rows) {
  std::size_t length = 0;
  for (const Ids& row : rows) length = std::max(length, row.size());
  Ids ids;
  Ids mask;
  for (const Ids& row : rows) {
    ids.insert(ids.end(), row.begin(), row.end());
    ids.resize(ids.size() + length - row.size(), 0);
    mask.insert(mask.end(), row.size(), 1);
    mask.resize(mask.size() + length - row.size(), 0);
  }
  const Shape shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(length)};
  TensorRun out;
  out.inputs.push_back(tensor_of("input_ids", shape, ids));
  out.inputs.push_back(tensor_of("attention_mask", shape, mask));
  return out;
}

float furthest(const Vector& a, const Vector& b) {
  float out = a.size() == b.size() ? 0.0F : 1e9F;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    out = std::max(out, std::abs(a[i] - b[i]));
  }
  return out;
}

class LlamaTextTest : public ::testing::Test {
 protected:
  LlamaTextTest()
      : folder_(fs::path(::testing::TempDir()) / ("llama_text_test_" + std::to_string(getpid()))) {}
  ~LlamaTextTest() override { fs::remove_all(folder_); }

  TextModelOptions options_of(const std::string& bytes) {
    TextModelOptions out;
    out.model_file = folder_ / std::to_string(files_++) / "model.gguf";
    out.model_name = "tiny";
    out.batch_size_max = 4;
    testing::write_file(out.model_file, bytes);
    return out;
  }
  TextModel load(const TextModelOptions& options) {
    auto out = engine_.load_text(options);
    EXPECT_TRUE(out.ok()) << out.status().to_string();
    return out.ok() ? std::move(*out) : TextModel();
  }
  TextModel load(const TinyBertOptions& options = {}) {
    return load(options_of(testing::tiny_bert_gguf(options)));
  }
  Status refusal(const TextModelOptions& options) { return engine_.load_text(options).status(); }

  static std::vector<Vector> vectors(TensorBackend& backend, const std::vector<Ids>& rows) {
    std::vector<Tensor> outputs;
    const Status status = backend.run(run_of(rows), outputs);
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok() || outputs.size() != 1) return std::vector<Vector>(rows.size());
    const auto values = outputs[0].as<float>();
    const std::size_t width = values.size() / rows.size();
    std::vector<Vector> out;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = values.subspan(i * width, width);
      out.emplace_back(row.begin(), row.end());
    }
    return out;
  }
  static Vector vector_of(TensorBackend& backend, const Ids& row) {
    return vectors(backend, {row}).front();
  }
  static Status failure(TensorBackend& backend, const TensorRun& run) {
    std::vector<Tensor> outputs;
    Status status = backend.run(run, outputs);
    EXPECT_TRUE(outputs.empty());
    return status;
  }

  const fs::path folder_;
  int files_ = 0;
  LlamaEngine engine_;
};

const Ids kSome = {2, 9, 23, 41, 57, 3};
const Ids kOther = {2, 57, 58, 3};

TEST_F(LlamaTextTest, says_what_it_takes_and_gives) {
  const TextModel model = load();
  ASSERT_TRUE(model.backend);
  const ModelSignature& signature = model.backend->signature();
  ASSERT_EQ(signature.inputs.size(), 2u);
  EXPECT_EQ(signature.inputs[0].name, "input_ids");
  EXPECT_EQ(signature.inputs[1].name, "attention_mask");
  ASSERT_EQ(signature.outputs.size(), 1u);
  EXPECT_EQ(signature.outputs[0].name, "sentence_embedding");
  EXPECT_EQ(signature.outputs[0].shape, (Shape{-1, 16}));
  EXPECT_FALSE(signature.generates);
  EXPECT_EQ(model.context_length, 64u);
  EXPECT_EQ(model.weights.architecture, "bert");
  EXPECT_EQ(model.weights.width, 16u);
}

TEST_F(LlamaTextTest, tells_files_for_texts_alone_from_others) {
  TinyBertOptions none;
  none.pooling = 0;
  EXPECT_TRUE(*engine_.takes_texts_alone(options_of(testing::tiny_bert_gguf()).model_file));
  EXPECT_TRUE(*engine_.takes_texts_alone(options_of(testing::tiny_bert_gguf(none)).model_file));
  EXPECT_FALSE(*engine_.takes_texts_alone(options_of(testing::tiny_gguf()).model_file));
  const auto broken = engine_.takes_texts_alone(options_of("GGUF").model_file);
  EXPECT_EQ(broken.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(broken.status().text(), HasSubstr("model.gguf: "));
  const auto absent = engine_.takes_texts_alone("/nowhere/model.gguf");
  EXPECT_EQ(absent.status().code(), Code::kFailedPrecondition);
}

// In this model a token's state is the same wherever it stands: alone it is its own vector.
TEST_F(LlamaTextTest, pools_as_it_was_told) {
  TinyBertOptions still;
  still.still = true;
  auto options = options_of(testing::tiny_bert_gguf(still));
  const TextModel mean = load(options);
  options.pooling = Pooling::kCls;
  const TextModel first = load(options);
  options.pooling = Pooling::kLast;
  const TextModel last = load(options);
  ASSERT_TRUE(mean.backend && first.backend && last.backend);
  Vector sum(16, 0);
  for (const std::int64_t id : kSome) {
    const Vector own = vector_of(*first.backend, {id});
    EXPECT_LT(furthest(own, vector_of(*mean.backend, {id})), 1e-5F);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += own[i] / static_cast<float>(kSome.size());
    }
  }
  EXPECT_LT(furthest(vector_of(*mean.backend, kSome), sum), 1e-5F);
  EXPECT_LT(furthest(vector_of(*first.backend, kSome), vector_of(*first.backend, {2})), 1e-5F);
  EXPECT_LT(furthest(vector_of(*last.backend, {2, 9, 23}), vector_of(*first.backend, {23})), 1e-5F);
  EXPECT_GT(furthest(vector_of(*last.backend, kSome), sum), 0.01F);
}

TEST_F(LlamaTextTest, pools_by_the_mean_where_nobody_says_how) {
  TinyBertOptions silent;
  silent.pooling = 0;
  const TextModel mean = load();
  const TextModel said = load(silent);
  ASSERT_TRUE(mean.backend && said.backend);
  EXPECT_LT(furthest(vector_of(*mean.backend, kSome), vector_of(*said.backend, kSome)), 1e-5F);
  auto options = options_of(testing::tiny_bert_gguf(silent));
  options.pooling = Pooling::kNone;
  EXPECT_THAT(refusal(options).text(), HasSubstr("does not say how it pools"));
  options = options_of(testing::tiny_bert_gguf());
  options.pooling = Pooling::kNone;  // the file's own
  EXPECT_LT(
      furthest(vector_of(*load(options).backend, kSome), vector_of(*mean.backend, kSome)), 1e-5F
  );
}

// More than one call takes, by rows and by tokens, and of all lengths.
std::vector<Ids> many_rows() {
  std::vector<Ids> out;
  for (std::int64_t i = 1; i <= 40; ++i) {
    Ids row = {2};
    for (std::int64_t k = 0; k < i; ++k) row.push_back(5 + (i * 7 + k * 3) % 50);
    row.push_back(3);
    out.push_back(std::move(row));
  }
  std::ranges::rotate(out, out.begin() + 17);
  return out;
}

// Flash attention rounds to half precision where the call has few tokens.
TEST_F(LlamaTextTest, a_batch_gives_what_its_rows_give_alone) {
  for (const auto& [flash, epsilon] : {std::pair("off", 1e-4F), std::pair("auto", 1e-3F)}) {
    auto options = options_of(testing::tiny_bert_gguf());
    options.parameters["flash_attention"] = flash;
    options.parameters["step_rows"] = "256";
    options.batch_size_max = 16;
    const TextModel model = load(options);
    ASSERT_TRUE(model.backend);
    const std::vector<Ids> rows = many_rows();
    const auto together = vectors(*model.backend, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_LT(furthest(together[i], vector_of(*model.backend, rows[i])), epsilon) << flash << i;
      EXPECT_GT(furthest(together[i], together[(i + 1) % rows.size()]), 0.01F) << flash << i;
    }
  }
}

TEST_F(LlamaTextTest, what_stands_in_the_padding_is_nobody_s_business) {
  const TextModel model = load();
  ASSERT_TRUE(model.backend);
  const Vector plain = vector_of(*model.backend, kOther);
  Ids padded = kOther;
  padded.insert(padded.end(), {-5, 1 << 30});
  TensorRun run;
  run.inputs.push_back(tensor_of("attention_mask", {1, 6}, Ids{1, 1, 1, 1, 0, 0}));
  run.inputs.push_back(tensor_of("input_ids", {1, 6}, padded));
  run.outputs = {"sentence_embedding"};
  std::vector<Tensor> outputs;
  ASSERT_TRUE(model.backend->run(run, outputs).ok());
  const auto values = outputs.at(0).as<float>();
  EXPECT_LT(furthest(plain, {values.begin(), values.end()}), 1e-6F);
}

TEST_F(LlamaTextTest, outputs_are_left_alone_by_the_next_run) {
  const TextModel model = load();
  ASSERT_TRUE(model.backend);
  std::vector<Tensor> outputs;
  ASSERT_TRUE(model.backend->run(run_of({kSome}), outputs).ok());
  const auto values = outputs[0].as<float>();
  const Vector before(values.begin(), values.end());
  static_cast<void>(vector_of(*model.backend, kOther));
  EXPECT_EQ(before, Vector(values.begin(), values.end()));
}

TEST_F(LlamaTextTest, wrong_inputs_are_the_caller_s_fault) {
  const TextModel model = load();
  ASSERT_TRUE(model.backend);
  const auto refused = [&](const TensorRun& run, const std::string& why) {
    const Status status = failure(*model.backend, run);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << why;
    EXPECT_THAT(status.text(), HasSubstr(why));
  };
  refused(run_of({{2, 61, 3}}), "token 61 is outside the vocabulary of 61");
  refused(run_of({kSome, {2, -1, 3}}), "token -1 is outside");
  refused(run_of({Ids(65, 7)}), "65 tokens; the model's context length is 64");
  refused(run_of({kSome, {}}), "a row has no tokens");
  TensorRun run = run_of({kSome});
  run.inputs[1] = tensor_of("attention_mask", {1, 6}, Ids{1, 0, 1, 1, 1, 1});
  refused(run, "zeros that are not at its end");
  run.inputs[1] = tensor_of("attention_mask", {1, 5}, Ids(5, 1));
  refused(run, "attention_mask is [1,5]");
  run.inputs[1] = tensor_of("attention_mask", {1, 6}, Vector(6, 1));
  refused(run, "is not INT64");
  run.inputs.pop_back();
  refused(run, "'attention_mask' is missing");
  run = run_of({kSome});
  run.outputs = {"last_hidden_state"};
  refused(run, "no output 'last_hidden_state'");
  EXPECT_EQ(vector_of(*model.backend, kSome).size(), 16u);  // and it goes on
}

TEST_F(LlamaTextTest, a_run_that_nobody_wants_ends) {
  const TextModel model = load();
  ASSERT_TRUE(model.backend);
  const Vector before = vector_of(*model.backend, kSome);
  const std::atomic<bool> left{true};
  TensorRun run = run_of({kSome});
  run.cancel = &left;
  EXPECT_EQ(failure(*model.backend, run).code(), Code::kCancelled);
  const std::atomic<bool> waits{false};
  run.cancel = &waits;
  std::vector<Tensor> outputs;
  EXPECT_TRUE(model.backend->run(run, outputs).ok());
  EXPECT_LT(furthest(before, vector_of(*model.backend, kSome)), 1e-6F);
}

TEST_F(LlamaTextTest, the_owner_s_length_is_the_length_and_no_more_than_was_trained) {
  auto options = options_of(testing::tiny_bert_gguf());
  options.context_length = 4;
  const TextModel model = load(options);
  ASSERT_TRUE(model.backend);
  EXPECT_EQ(model.context_length, 4u);
  EXPECT_EQ(failure(*model.backend, run_of({kSome})).code(), Code::kInvalidArgument);
  EXPECT_EQ(vector_of(*model.backend, kOther).size(), 16u);
  options.context_length = 100'000;  // its positions end
  EXPECT_EQ(load(options).context_length, 64u);
}

TEST_F(LlamaTextTest, threads_of_its_own_come_and_go_with_the_model) {
  auto options = options_of(testing::tiny_bert_gguf());
  const Vector one = vector_of(*load(options).backend, kSome);
  options.threads = 2;
  EXPECT_LT(furthest(one, vector_of(*load(options).backend, kSome)), 1e-5F);
}

// What the head says follows from the first token's state, which pooling `cls` shows.
TEST_F(LlamaTextTest, a_model_that_compares_gives_one_number_for_a_row) {
  TinyBertOptions rank;
  rank.pooling = 4;
  rank.classes = 1;
  auto options = options_of(testing::tiny_bert_gguf(rank));
  const TextModel scores = load(options);
  options.pooling = Pooling::kCls;
  const TextModel states = load(options);
  ASSERT_TRUE(scores.backend && states.backend);
  EXPECT_EQ(scores.backend->signature().outputs.at(0).name, "logits");
  EXPECT_EQ(scores.backend->signature().outputs.at(0).shape, (Shape{-1, 1}));
  const auto both = vectors(*scores.backend, {kSome, kOther});
  ASSERT_EQ(both[0].size(), 1u);
  EXPECT_NEAR(both[0][0], std::tanh(vector_of(*states.backend, kSome)[0]) + 0.25F, 1e-5F);
  EXPECT_NEAR(both[1][0], std::tanh(vector_of(*states.backend, kOther)[0]) + 0.25F, 1e-5F);
  EXPECT_GT(std::abs(both[0][0] - both[1][0]), 1e-3F);
}

TEST_F(LlamaTextTest, a_model_that_tells_classes_apart_compares_nothing) {
  TinyBertOptions rank;
  rank.pooling = 4;
  rank.classes = 3;
  EXPECT_THAT(
      refusal(options_of(testing::tiny_bert_gguf(rank))).text(), HasSubstr("3 classes apart")
  );
  rank.classes = 0;
  const Status headless = refusal(options_of(testing::tiny_bert_gguf(rank)));
  EXPECT_EQ(headless.code(), Code::kInvalidArgument);
  EXPECT_THAT(headless.text(), HasSubstr("no classification head"));
  auto chat = options_of(testing::tiny_gguf());
  chat.pooling = Pooling::kRank;
  EXPECT_THAT(refusal(chat).text(), HasSubstr("no classification head"));
}

TEST_F(LlamaTextTest, a_language_model_pools_where_its_owner_says_so) {
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
    auto options = options_of(testing::tiny_gguf());
    options.pooling = pooling;
    const TextModel model = load(options);
    ASSERT_TRUE(model.backend);
    EXPECT_EQ(model.backend->signature().outputs.at(0).shape, (Shape{-1, 32}));
    const std::vector<Ids> rows = {{1, 70, 71, 72}, {1, 90}, Ids(300, 8), Ids(290, 9)};
    const auto together = vectors(*model.backend, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_LT(furthest(together[i], vector_of(*model.backend, rows[i])), 0.02F) << i;
    }
  }
}

TEST_F(LlamaTextTest, files_that_are_no_models_are_refused) {
  const std::string whole = testing::tiny_bert_gguf();
  std::vector<std::string> broken = {
      "", "GGUF", whole.substr(0, 200), whole.substr(0, whole.size() - 500)
  };
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string out = whole;
    out.replace(out.find(what), what.size(), instead);
    broken.push_back(std::move(out));
  };
  with("blk.0.ffn_up", "blk.0.ffn_uq");
  with("bert.block_count", "bert.block_cOunt");
  with("position_embd", "position_embe");
  std::string pooled = whole;
  pooled[pooled.find("bert.pooling_type") + 17 + 4] = 9;
  broken.push_back(pooled);
  for (const std::string& bytes : broken) {
    const Status status = refusal(options_of(bytes));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
    EXPECT_THAT(status.text(), HasSubstr("model 'tiny': "));
  }
}

// A value of another type than the library reads would end the process inside it.
TEST_F(LlamaTextTest, a_pooling_of_another_type_is_none_to_the_head) {
  std::string bytes = testing::tiny_bert_gguf();
  bytes[bytes.find("bert.pooling_type") + 17] = 6;  // a float
  const auto alone = engine_.takes_texts_alone(options_of(bytes).model_file);
  ASSERT_TRUE(alone.ok());
  EXPECT_TRUE(*alone);  // by its architecture
  EXPECT_EQ(refusal(options_of(bytes)).code(), Code::kInvalidArgument);
}

TEST_F(LlamaTextTest, says_what_is_wrong_with_folder_and_parameters) {
  auto options = options_of(testing::tiny_bert_gguf());
  options.parameters["steps"] = "1";
  EXPECT_THAT(refusal(options).text(), HasSubstr("parameter 'steps' is unknown"));
  options.parameters.clear();
  options.model_file = "/nowhere/model.gguf";
  const Status absent = refusal(options);
  EXPECT_EQ(absent.code(), Code::kFailedPrecondition);
  EXPECT_THAT(absent.text(), HasSubstr("model 'tiny': there is no file model.gguf"));
}

}  // namespace
}  // namespace cortex::backend
