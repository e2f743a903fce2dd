// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/graph_scan.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "backend/testing/onnx_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

using testing::OnnxGraph;
using testing::OnnxModel;
using testing::OnnxNode;

Result<bool> scan(const std::string& bytes) {
  return quantizes_dynamically(std::as_bytes(std::span(bytes)));
}

OnnxModel model_with(OnnxNode node) {
  OnnxModel model;
  model.graph.nodes = {std::move(node)};
  return model;
}

OnnxNode node_of(std::string type, std::string domain = {}) {
  OnnxNode node;
  node.op_type = std::move(type);
  node.domain = std::move(domain);
  return node;
}

bool found(const OnnxModel& model) {
  const auto result = scan(serialize(model));
  EXPECT_TRUE(result.ok()) << result.status().to_string();
  return result.ok() && *result;
}

TEST(GraphScan, finds_operators_that_scale_over_the_batch) {
  EXPECT_TRUE(found(model_with(node_of("DynamicQuantizeLinear"))));
  EXPECT_TRUE(found(model_with(node_of("DynamicQuantizeLinear", "ai.onnx"))));
  EXPECT_TRUE(found(model_with(node_of("DynamicQuantizeMatMul", "com.microsoft"))));
  EXPECT_TRUE(found(model_with(node_of("DynamicQuantizeLSTM", "com.microsoft"))));
}

TEST(GraphScan, leaves_operators_with_fixed_scales_and_other_domains_alone) {
  EXPECT_FALSE(found(model_with(node_of("QuantizeLinear"))));
  EXPECT_FALSE(found(model_with(node_of("MatMulIntegerToFloat", "com.microsoft"))));
  EXPECT_FALSE(found(model_with(node_of("DynamicQuantizeLinear", "example"))));
  EXPECT_FALSE(found(model_with(node_of("DynamicQuantizeLinearX"))));
}

TEST(GraphScan, looks_into_bodies_and_functions) {
  OnnxNode condition = node_of("If");
  OnnxGraph body;
  body.nodes = {node_of("Identity"), node_of("DynamicQuantizeLinear")};
  condition.graphs = {{"then_branch", OnnxGraph{}}, {"else_branch", body}};
  EXPECT_TRUE(found(model_with(condition)));

  OnnxModel with_function = model_with(node_of("Quantized", "example"));
  with_function.functions = {{"example", "Quantized", {node_of("DynamicQuantizeLinear")}}};
  EXPECT_TRUE(found(with_function));
}

TEST(GraphScan, refuses_what_is_no_model) {
  EXPECT_FALSE(scan("").ok());
  EXPECT_FALSE(scan("not a model at all").ok());
  EXPECT_FALSE(scan(std::string(1000, '\xFF')).ok());
}

TEST(GraphScan, survives_every_cut_and_every_changed_byte) {
  const std::string bytes = testing::add_sub_model();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    static_cast<void>(scan(bytes.substr(0, i)));
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0xFF);
    static_cast<void>(scan(changed));
  }
}

TEST(GraphScan, refuses_nesting_that_the_engine_would_refuse_too) {
  OnnxGraph graph;
  for (int i = 0; i < 60; ++i) {
    OnnxNode node = node_of("If");
    node.graphs = {{"then_branch", graph}};
    graph = OnnxGraph();
    graph.nodes = {node};
  }
  OnnxModel model;
  model.graph = graph;
  EXPECT_FALSE(scan(serialize(model)).ok());
}

TEST(GraphScan, reads_a_file_that_is_larger_than_its_window) {
  OnnxModel model;
  model.graph.constants = {{"weights", DataType::kInt8, {100'000}, std::string(100'000, 'x')}};
  for (int i = 0; i < 3000; ++i) model.graph.nodes.push_back(node_of("Identity"));
  const auto file = std::filesystem::path(::testing::TempDir()) / "graph_scan" / "large.onnx";
  testing::write_file(file, serialize(model));
  auto result = quantizes_dynamically(file);
  ASSERT_TRUE(result.ok()) << result.status().to_string();
  EXPECT_FALSE(*result);
  model.graph.nodes.push_back(node_of("DynamicQuantizeLinear"));
  testing::write_file(file, serialize(model));
  result = quantizes_dynamically(file);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(*result);
  EXPECT_FALSE(quantizes_dynamically(file.parent_path() / "missing.onnx").ok());
}

}  // namespace
}  // namespace cortex::backend
