// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/synthetic_engine.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/testing/detail/backend_contract.h"

namespace cortex::backend {
namespace testing {
INSTANTIATE_TEST_SUITE_P(
    Synthetic,
    BackendContract,
    ::testing::Values(EngineUnderTest{
        [] { return std::make_unique<SyntheticEngine>(); },
        [](DataType type, const Shape& shape) {
          TensorBackendOptions options;
          options.parameters["inputs"] =
              "INPUT0 " + std::string(datatype_name(type)) + " " + shape_text(shape);
          return options;
        },
    })
);
}  // namespace testing

namespace {

using Keys = std::map<std::string, std::string>;

Result<std::unique_ptr<TensorBackend>> load(const Keys& keys, SyntheticOptions options = {}) {
  SyntheticEngine engine(std::move(options));
  TensorBackendOptions load_options;
  load_options.parameters = keys;
  return engine.load(load_options);
}

Tensor floats(std::string name, const Shape& shape, const std::vector<float>& values) {
  return tensor_of(std::move(name), shape, std::span<const float>(values));
}

Tensor numbers(std::string name, const Shape& shape, const std::vector<std::int64_t>& values) {
  return tensor_of(std::move(name), shape, std::span<const std::int64_t>(values));
}

Status run(TensorBackend& backend, std::vector<Tensor> inputs, std::vector<Tensor>& outputs) {
  return backend.run({std::move(inputs), {}}, outputs);
}

TEST(SyntheticEngine, adds_up_every_input) {
  auto backend = load({{"result", "sum"}, {"inputs", "A INT32 [-1]; B INT32 [-1]; C INT32 [-1]"}});
  ASSERT_TRUE(backend.ok()) << backend.status().to_string();
  std::vector<Tensor> inputs;
  for (const char* name : {"A", "B", "C"}) {
    inputs.push_back(testing::sample(DataType::kInt32, {1}));
    inputs.back().name = name;
  }
  std::vector<Tensor> outputs;
  ASSERT_TRUE(run(**backend, inputs, outputs).ok());
  EXPECT_EQ(outputs[0].as<std::int32_t>()[0], 3 * inputs[0].as<std::int32_t>()[0]);
  inputs[1] = testing::sample(DataType::kInt32, {2});
  inputs[1].name = "B";
  EXPECT_EQ(run(**backend, inputs, outputs).code(), Code::kInvalidArgument);
}

TEST(SyntheticEngine, fills_outputs_of_every_datatype) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    const std::string spec = "OUT " + std::string(datatype_name(type)) + " [-1,2]";
    auto backend = load({{"result", "constant"}, {"value", "1"}, {"outputs", spec}});
    ASSERT_TRUE(backend.ok()) << backend.status().to_string();
    std::vector<Tensor> outputs;
    ASSERT_TRUE(run(**backend, {testing::sample(DataType::kFp32, {3, 16})}, outputs).ok());
    EXPECT_EQ(outputs[0].shape, (Shape{3, 2}));
    EXPECT_TRUE(validate(outputs[0]).ok());
    EXPECT_NE(
        outputs[0].bytes[element_size(type) == 0 ? 4 : element_size(type) - 1], std::byte{0xFF}
    );
  }
}

TEST(SyntheticEngine, shows_the_shape_it_was_run_with) {
  auto backend = load({{"result", "shape"}, {"inputs", "INPUT0 FP32 [-1,-1]"}});
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> outputs;
  ASSERT_TRUE(run(**backend, {testing::sample(DataType::kFp32, {2, 5})}, outputs).ok());
  EXPECT_EQ(outputs[0].shape, (Shape{2, 2}));
  const auto values = outputs[0].as<std::int64_t>();
  EXPECT_EQ(
      (std::vector<std::int64_t>(values.begin(), values.end())),
      (std::vector<std::int64_t>{2, 5, 2, 5})
  );
}

TEST(SyntheticEngine, gives_a_token_the_same_values_whatever_stands_around_it) {
  auto backend = load({{"result", "text"}, {"width", "4"}});
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> alone;
  ASSERT_TRUE(run(**backend,
                  {numbers("input_ids", {1, 2}, {7, 9}), numbers("attention_mask", {1, 2}, {1, 1})},
                  alone)
                  .ok());
  std::vector<Tensor> padded;
  ASSERT_TRUE(run(**backend,
                  {numbers("input_ids", {2, 3}, {1, 2, 3, 7, 9, 0}),
                   numbers("attention_mask", {2, 3}, {1, 1, 1, 1, 1, 0})},
                  padded)
                  .ok());
  EXPECT_EQ(padded[0].shape, (Shape{2, 3, 4}));
  const auto one = alone[0].as<float>();
  const auto two = padded[0].as<float>();
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(one[i], two[12 + i]);
    EXPECT_LE(std::abs(one[i]), 1.0f);
  }
  EXPECT_GT(two[20], 1000);
}

TEST(SyntheticEngine, counts_what_two_texts_share) {
  auto backend = load({{"result", "pair"}});
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> logits;
  ASSERT_TRUE(run(**backend,
                  {numbers("input_ids", {2, 4}, {7, 8, 8, 9, 7, 7, 7, 7}),
                   numbers("attention_mask", {2, 4}, {1, 1, 1, 1, 1, 1, 1, 0}),
                   numbers("token_type_ids", {2, 4}, {0, 0, 1, 1, 0, 1, 1, 1})},
                  logits)
                  .ok());
  EXPECT_EQ(logits[0].shape, (Shape{2, 1}));
  EXPECT_EQ(logits[0].as<float>()[0], 1);
  EXPECT_EQ(logits[0].as<float>()[1], 2);
}

TEST(SyntheticEngine, takes_token_types_when_told) {
  auto backend = load({{"result", "text"}, {"token_types", "true"}});
  ASSERT_TRUE(backend.ok());
  EXPECT_EQ((*backend)->signature().inputs.size(), 3u);
}

TEST(SyntheticEngine, fails_exactly_the_runs_it_was_told_to) {
  auto backend = load({{"fail_every", "3"}, {"fail_at", "4"}, {"fail_code", "unavailable"}});
  ASSERT_TRUE(backend.ok());
  std::vector<int> failed;
  for (int i = 1; i <= 9; ++i) {
    std::vector<Tensor> outputs;
    const Status status = run(**backend, {testing::sample(DataType::kFp32, {1, 16})}, outputs);
    if (!status.ok()) {
      EXPECT_EQ(status.code(), Code::kUnavailable);
      failed.push_back(i);
    }
  }
  EXPECT_EQ(failed, (std::vector<int>{3, 4, 6, 9}));
}

TEST(SyntheticEngine, refuses_the_number_it_was_told_to_refuse) {
  auto backend = load({{"fail_on", "13"}, {"inputs", "INPUT0 FP32 [-1]"}});
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> outputs;
  EXPECT_TRUE(run(**backend, {floats("INPUT0", {2}, {12, 14})}, outputs).ok());
  EXPECT_EQ(
      run(**backend, {floats("INPUT0", {2}, {12, 13})}, outputs).code(), Code::kInvalidArgument
  );
}

TEST(SyntheticEngine, takes_the_time_it_was_told_to) {
  std::vector<Duration> waited;
  auto backend = load(
      {{"delay_us", "100"}, {"delay_per_row_us", "10"}, {"load_delay_ms", "2"}},
      {[&](Duration duration) { waited.push_back(duration); }}
  );
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> outputs;
  ASSERT_TRUE(run(**backend, {testing::sample(DataType::kFp32, {4, 16})}, outputs).ok());
  ASSERT_EQ(waited.size(), 2u);
  EXPECT_EQ(waited[0], std::chrono::milliseconds(2));
  EXPECT_EQ(waited[1], std::chrono::microseconds(140));
}

TEST(SyntheticEngine, waits_for_real_when_nobody_moves_a_clock) {
  auto backend = load({{"delay_us", "2000"}});
  ASSERT_TRUE(backend.ok());
  std::vector<Tensor> outputs;
  const TimePoint start = steady_clock().now();
  ASSERT_TRUE(run(**backend, {testing::sample(DataType::kFp32, {1, 16})}, outputs).ok());
  EXPECT_GE(steady_clock().now() - start, std::chrono::microseconds(2000));
}

TEST(SyntheticEngine, does_not_load_when_told_so) {
  const auto backend = load({{"load_fails", "the disk is full"}});
  EXPECT_EQ(backend.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(backend.status().text(), "the disk is full");
}

TEST(SyntheticEngine, crashes_only_where_it_may) {
  TensorBackendOptions options;
  options.parameters = {{"load_crash", "abort"}};
  SyntheticEngine engine;
  EXPECT_TRUE(engine.may_crash(options));
  EXPECT_FALSE(engine.may_crash({}));
  EXPECT_EQ(engine.load(options).status().text(), "load_crash: only on probation");
  EXPECT_DEATH(
      {
        SyntheticOptions may;
        may.may_crash = true;
        static_cast<void>(SyntheticEngine(may).load(options).ok());
      },
      "crashes as told"
  );
}

TEST(SyntheticEngine, says_that_batches_change_answers_when_told) {
  EXPECT_TRUE((*load({{"batch_changes_answers", "true"}}))->signature().batch_changes_answers);
  EXPECT_FALSE((*load({}))->signature().batch_changes_answers);
}

TEST(SyntheticEngine, reads_its_file_and_lets_the_configuration_win) {
  const auto file = std::filesystem::path(::testing::TempDir()) / "sample.synthetic";
  std::ofstream(file) << "# a model\nresult: shape  # what it saw\n\nfail_at: 1\n";
  SyntheticEngine engine;
  TensorBackendOptions options;
  options.model_file = file;
  options.parameters = {{"fail_at", "0"}};
  auto backend = engine.load(options);
  ASSERT_TRUE(backend.ok()) << backend.status().to_string();
  std::vector<Tensor> outputs;
  ASSERT_TRUE(run(**backend, {testing::sample(DataType::kFp32, {1, 16})}, outputs).ok());
  EXPECT_EQ(outputs[0].datatype, DataType::kInt64);
}

TEST(SyntheticEngine, names_the_key_that_is_wrong) {
  for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"result", "magic"},
           {"delay_us", "-1"},
           {"delay_us", "soon"},
           {"inputs", "INPUT0"},
           {"inputs", "INPUT0 FP32 [a]"},
           {"inputs", "INPUT0 FP33 [1]"},
           {"inputs", ";"},
           {"outputs", "OUTPUT0 FP32 [1]"},
           {"width", "99999999"},
           {"fail_on", "x"},
           {"batch_changes_answers", "maybe"},
           {"load_crash", "sometimes"},
           {"speed", "11"},
       }) {
    const Status status = load({{key, value}}).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << key << ": " << value;
    EXPECT_NE(status.text().find(key), std::string::npos) << status.text();
  }
}

}  // namespace
}  // namespace cortex::backend
