// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/onnx_engine.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/row_trial.h"
#include "backend/testing/detail/backend_contract.h"
#include "backend/testing/onnx_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

using testing::OnnxModel;
using testing::OnnxNode;

TensorBackendOptions file_of(const std::string& bytes) {
  static int number = 0;
  const auto file = std::filesystem::path(::testing::TempDir()) /
                    ("onnx_engine_test_" + std::to_string(number++)) / "model.onnx";
  testing::write_file(file, bytes);
  TensorBackendOptions options;
  options.model_file = file;
  options.model_name = "sample";
  return options;
}

}  // namespace

namespace testing {
INSTANTIATE_TEST_SUITE_P(
    Onnx,
    BackendContract,
    ::testing::Values(EngineUnderTest{
        [] { return std::make_unique<OnnxEngine>(); },
        [](DataType type, const Shape& shape) { return file_of(identity_model(type, shape)); },
    })
);
}  // namespace testing

namespace {

class OnnxEngineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(engine_.status().ok()) << engine_.status().to_string(); }

  std::unique_ptr<TensorBackend> load(const std::string& bytes) {
    auto backend = engine_.load(file_of(bytes));
    EXPECT_TRUE(backend.ok()) << backend.status().to_string();
    return backend.ok() ? std::move(*backend) : nullptr;
  }

  Status load_status(const std::string& bytes) { return engine_.load(file_of(bytes)).status(); }

  OnnxEngine engine_;
};

Tensor floats(std::string name, const Shape& shape, const std::vector<float>& values) {
  return tensor_of(std::move(name), shape, std::span<const float>(values));
}

TEST_F(OnnxEngineTest, says_which_library_it_opened) {
  EXPECT_EQ(engine_.version().substr(0, 2), "1.");
  EXPECT_NE(engine_.library().find("libonnxruntime"), std::string::npos);
}

TEST_F(OnnxEngineTest, adds_and_subtracts) {
  const auto backend = load(testing::add_sub_model());
  ASSERT_TRUE(backend);
  std::vector<Tensor> outputs;
  TensorRun run;
  run.inputs = {floats("INPUT1", {1, 2}, {1, 2}), floats("INPUT0", {1, 2}, {10, 20})};
  run.outputs = {"OUTPUT1", "OUTPUT0"};
  ASSERT_TRUE(backend->run(run, outputs).ok());
  EXPECT_EQ(outputs[0].as<float>()[1], 18);
  EXPECT_EQ(outputs[1].as<float>()[1], 22);
  EXPECT_EQ(outputs[1].name, "OUTPUT0");
}

TEST_F(OnnxEngineTest, reads_aligned_inputs_in_place) {
  const auto backend = load(testing::identity_model(DataType::kFp32, {-1}));
  ASSERT_TRUE(backend);
  const Tensor input = testing::sample(DataType::kFp32, {1'000'000});
  const auto holders = input.owner.use_count();
  std::vector<Tensor> outputs;
  ASSERT_TRUE(backend->run({{input}, {}}, outputs).ok());
  EXPECT_NE(outputs[0].bytes.data(), input.bytes.data());
  EXPECT_EQ(input.owner.use_count(), holders);
}

TEST_F(OnnxEngineTest, tells_dynamic_quantisation_in_the_signature) {
  EXPECT_TRUE(load(testing::dynamic_quantization_model())->signature().batch_changes_answers);
  EXPECT_FALSE(load(testing::add_sub_model())->signature().batch_changes_answers);
}

// X -> Y by one operator, both FP32 [-1,2].
std::string by_operator(OnnxNode node) {
  OnnxModel model;
  model.graph.inputs = {{"X", DataType::kFp32, {-1, 2}}};
  model.graph.outputs = {{"Y", DataType::kFp32, {-1, 2}}};
  model.graph.nodes = {std::move(node)};
  return serialize(model);
}

TEST_F(OnnxEngineTest, a_trial_tells_whether_the_first_dimension_is_a_batch) {
  const auto stands_alone = [&](const std::string& bytes) {
    const auto backend = load(bytes);
    EXPECT_TRUE(backend->signature().rows_untried);
    return rows_stand_alone(*backend);
  };
  EXPECT_TRUE(stands_alone(testing::add_sub_model()));
  EXPECT_TRUE(stands_alone(testing::simple_model()));
  EXPECT_TRUE(stands_alone(testing::token_table_model(16, 4)));
  EXPECT_TRUE(stands_alone(testing::identity_model(DataType::kBytes, {-1, 16})));
  EXPECT_TRUE(stands_alone(by_operator({"Softmax", {"X"}, {"Y"}, {{"axis", 1}}, {}, {}})));
  EXPECT_FALSE(stands_alone(by_operator({"Softmax", {"X"}, {"Y"}, {{"axis", 0}}, {}, {}})));
  EXPECT_FALSE(stands_alone(by_operator({"Concat", {"X", "X"}, {"Y"}, {{"axis", 0}}, {}, {}})));
  OnnxModel product;
  product.graph.inputs = {{"A", DataType::kFp32, {-1, -1}}, {"B", DataType::kFp32, {-1, -1}}};
  product.graph.outputs = {{"Y", DataType::kFp32, {-1, -1}}};
  product.graph.nodes = {{"MatMul", {"A", "B"}, {"Y"}, {}, {}, {}}};
  EXPECT_FALSE(stands_alone(serialize(product)));
}

TEST_F(OnnxEngineTest, refuses_shapes_that_do_not_fit_as_the_caller_s_fault) {
  const auto backend = load(testing::identity_model(DataType::kFp32, {-1, 16}));
  ASSERT_TRUE(backend);
  std::vector<Tensor> outputs;
  const Status status = backend->run({{testing::sample(DataType::kFp32, {2, 3})}, {}}, outputs);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.text().find("INPUT0"), std::string::npos) << status.text();
}

TEST_F(OnnxEngineTest, refuses_inputs_that_an_operator_cannot_join) {
  const auto backend = load(testing::add_sub_model());
  ASSERT_TRUE(backend);
  std::vector<Tensor> outputs;
  TensorRun run;
  run.inputs = {floats("INPUT0", {1, 2}, {1, 2}), floats("INPUT1", {1, 3}, {1, 2, 3})};
  const Status status = backend->run(run, outputs);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.text().find("operator"), std::string::npos) << status.text();
  EXPECT_EQ(status.text().find("/core/"), std::string::npos) << status.text();
  EXPECT_TRUE(outputs.empty());
}

TEST_F(OnnxEngineTest, refuses_an_index_outside_a_table) {
  const auto backend = load(testing::token_table_model(10, 4));
  ASSERT_TRUE(backend);
  const std::array<std::int64_t, 2> ids = {3, 10};
  const std::array<std::int64_t, 2> mask = {1, 1};
  TensorRun run;
  run.inputs = {
      tensor_of("input_ids", {1, 2}, std::span<const std::int64_t>(ids)),
      tensor_of("attention_mask", {1, 2}, std::span<const std::int64_t>(mask)),
  };
  std::vector<Tensor> outputs;
  const Status status = backend->run(run, outputs);
  EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
}

TEST_F(OnnxEngineTest, refuses_a_bool_that_is_none) {
  const auto backend = load(testing::identity_model(DataType::kBool, {-1}));
  ASSERT_TRUE(backend);
  Tensor input = testing::sample(DataType::kUint8, {5});
  input.datatype = DataType::kBool;
  std::vector<Tensor> outputs;
  EXPECT_EQ(backend->run({{input}, {}}, outputs).code(), Code::kInvalidArgument);
}

TEST_F(OnnxEngineTest, runs_with_every_kind_of_setting) {
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string, std::string>>{
           {"intra_op_thread_count", "2"},
           {"execution_mode", "1"},
           {"graph_optimization_level", "disable"},
           {"graph_optimization_level", "extended"},
           {"enable_mem_arena", "1"},
           {"enable_mem_pattern", "1"},
           {"memory.enable_memory_arena_shrinkage", "cpu:0"},
           {"session.set_denormal_as_zero", "1"},
       }) {
    auto options = file_of(testing::identity_model(DataType::kFp32, {-1}));
    options.parameters = {{name, value}};
    const auto backend = engine_.load(options);
    ASSERT_TRUE(backend.ok()) << name << ": " << backend.status().to_string();
    testing::expect_identity(**backend, testing::sample(DataType::kFp32, {9}));
  }
}

TEST_F(OnnxEngineTest, names_the_parameter_that_is_wrong) {
  auto options = file_of(testing::add_sub_model());
  options.parameters = {{"execution_mode", "sideways"}};
  const Status status = engine_.load(options).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.text().find("execution_mode"), std::string::npos);
}

TEST_F(OnnxEngineTest, refuses_files_that_are_no_model) {
  const std::string whole = testing::add_sub_model();
  for (const std::string& bytes :
       {std::string(),
        std::string("junk"),
        std::string(4096, '\0'),
        whole.substr(0, whole.size() / 2)}) {
    const Status status = load_status(bytes);
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << status.to_string();
    EXPECT_NE(status.text().find("model 'sample'"), std::string::npos);
    EXPECT_EQ(status.text().find(::testing::TempDir()), std::string::npos) << status.text();
  }
}

TEST_F(OnnxEngineTest, refuses_a_file_that_is_not_there) {
  TensorBackendOptions options;
  options.model_file = std::filesystem::path(::testing::TempDir()) / "no" / "model.onnx";
  options.model_name = "gone";
  EXPECT_EQ(engine_.load(options).status().code(), Code::kFailedPrecondition);
  options.model_file = ::testing::TempDir();
  EXPECT_EQ(engine_.load(options).status().code(), Code::kFailedPrecondition);
}

TEST_F(OnnxEngineTest, refuses_an_opset_of_the_future_and_an_unknown_operator) {
  OnnxModel model;
  model.graph.inputs = {{"INPUT0", DataType::kFp32, {-1}}};
  model.graph.outputs = {{"OUTPUT0", DataType::kFp32, {-1}}};
  model.graph.nodes = {{"Identity", {"INPUT0"}, {"OUTPUT0"}, {}, {}, {}}};
  model.opset = 9999;
  EXPECT_FALSE(load_status(serialize(model)).ok());
  model.opset = 17;
  model.graph.nodes[0].op_type = "NoSuchOperator";
  const Status status = load_status(serialize(model));
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.text().find("NoSuchOperator"), std::string::npos) << status.text();
}

TEST_F(OnnxEngineTest, refuses_a_model_that_takes_a_sequence) {
  OnnxModel model;
  model.graph.sequence_inputs = {"LIST"};
  model.graph.outputs = {{"OUTPUT0", DataType::kInt64, {}}};
  model.graph.nodes = {{"SequenceLength", {"LIST"}, {"OUTPUT0"}, {}, {}, {}}};
  const Status status = load_status(serialize(model));
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.text().find("'LIST' is a sequence"), std::string::npos) << status.text();
}

TEST(OnnxEngine, starts_without_a_library_and_says_why_it_cannot_load) {
  OnnxEngine engine({std::filesystem::path(::testing::TempDir()) / "libnothing.so"});
  EXPECT_EQ(engine.status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(engine.version(), "");
  const Status status = engine.load(file_of(testing::add_sub_model())).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.text().find("libnothing.so"), std::string::npos);
}

TEST(OnnxEngine, refuses_a_library_that_is_another_one) {
  OnnxEngine engine({"libm.so.6"});
  EXPECT_EQ(engine.status().code(), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace cortex::backend
