// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/mlmodel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kOnnx = R"(artifact_path: mlflow-artifacts:/1/models/m-1/artifacts
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_session_options: null
    onnx_version: 1.16.0
    providers:
    - CUDAExecutionProvider
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
    python_version: 3.11.7
mlflow_version: 3.6.1
model_id: m-1
model_size_bytes: 120
prompts: null
run_id: abc
signature:
  inputs: '[{"name":"x","type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,4]}}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]'
  params: null
utc_time_created: '2026-01-01 00:00:00.000000'
)";

TEST(MlModel, names_the_onnx_file_and_the_flavors) {
  const auto model = parse_mlmodel(kOnnx);
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  EXPECT_EQ(model->onnx_file, "model.onnx");
  EXPECT_THAT(model->flavors, ElementsAre("onnx", "python_function"));
}

TEST(MlModel, knows_models_without_an_onnx_flavor) {
  const auto model = parse_mlmodel("flavors:\n  sklearn:\n    pickled_model: model.pkl\n");
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(model->onnx_file, "");
  EXPECT_THAT(model->flavors, ElementsAre("sklearn"));
}

TEST(MlModel, refuses_what_is_none) {
  struct Row {
    std::string text;
    const char* why;
  };
  std::string deep = "flavors: ";
  for (int i = 0; i < 40; ++i) deep += "{a: ";
  for (const Row& row : std::vector<Row>{
           {"", "flavors"},
           {"flavors: 3", "flavors"},
           {"- a\n- b\n", "flavors"},
           {"flavors:\n  onnx: null\n", "flavors.onnx.data"},
           {"flavors:\n  onnx: {data: [a]}\n", "flavors.onnx.data"},
           {"flavors:\n  onnx: {data: ../secret}\n", "flavors.onnx.data"},
           {"flavors:\n  onnx: {data: /etc/passwd}\n", "flavors.onnx.data"},
           {"flavors:\n  onnx: {data: \"\"}\n", "flavors.onnx.data"},
           {"flavors: &a {b: *a}\n", "not allowed"},
           {"flavors: !!python/object {}\n", "tags"},
           {"a: b: c: [", "line"},
           {deep, "line"},
           {"a: \xff", "UTF-8"},
           {std::string(kMlModelBytesMax + 1, ' '), "longer"},
       }) {
    const auto model = parse_mlmodel(row.text);
    ASSERT_FALSE(model.ok()) << row.text.substr(0, 50);
    EXPECT_EQ(model.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(model.status().text(), HasSubstr(row.why));
  }
}

}  // namespace
}  // namespace cortex::registry
