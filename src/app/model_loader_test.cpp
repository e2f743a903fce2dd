// SPDX-License-Identifier: Apache-2.0
#include "app/model_loader.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/synthetic/synthetic_engine.h"

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
    return make_loader({engines_, cores_, lanes_, cpu_, steady_clock()})(config_, folder_ / "1", 1);
  }
  void write(const fs::path& name, std::string_view text) { std::ofstream(folder_ / name) << text; }

  fs::path folder_;
  Engines engines_;
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

}  // namespace
}  // namespace cortex::app
