// SPDX-License-Identifier: Apache-2.0
#include "request/validate_infer.h"

#include <array>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace cortex {
namespace {

Tensor floats(std::string name, Shape shape) {
  const std::vector<float> values(element_count(shape).value());
  return tensor_of(std::move(name), std::move(shape), values);
}

// Adds two inputs; batches up to 8.
struct Model {
  ModelSignature signature{
      {{"A", DataType::kFp32, {-1, 4}, false}, {"B", DataType::kFp32, {-1, 4}, false}},
      {{"SUM", DataType::kFp32, {-1, 4}, false}},
      false,
  };
  ModelConfig config;
  InferInput input{{floats("A", {2, 4}), floats("B", {2, 4})}, {}};

  Model() {
    config.name = "add";
    config.max_batch_size = 8;
  }
  std::string fault() const { return validate_infer(signature, config, input).text(); }
};

TEST(ValidateInfer, lets_a_fitting_request_pass) {
  Model model;
  EXPECT_EQ(model.fault(), "");
  model.input.outputs = {"SUM"};
  EXPECT_EQ(model.fault(), "");
}

TEST(ValidateInfer, every_fault_is_the_callers) {
  Model model;
  model.input.inputs.clear();
  EXPECT_EQ(
      validate_infer(model.signature, model.config, model.input).code(), Code::kInvalidArgument
  );
}

TEST(ValidateInfer, names_missing_inputs) {
  Model model;
  model.input.inputs.pop_back();
  EXPECT_EQ(
      model.fault(),
      "expected 2 inputs but got 1 inputs for model 'add'. Got input(s) ['A'], but missing "
      "required "
      "input(s) ['B']. Please provide all required input(s)."
  );
}

TEST(ValidateInfer, an_optional_input_may_be_missing) {
  Model model;
  model.signature.inputs[1].optional = true;
  model.input.inputs.pop_back();
  EXPECT_EQ(model.fault(), "");
}

TEST(ValidateInfer, the_configuration_may_make_an_input_optional) {
  Model model;
  model.config.inputs = {{"B", DataType::kFp32, {4}, true}};
  model.input.inputs.pop_back();
  EXPECT_EQ(model.fault(), "");
}

TEST(ValidateInfer, refuses_an_unknown_input) {
  Model model;
  model.input.inputs.push_back(floats("C", {2, 4}));
  EXPECT_EQ(model.fault(), "unexpected inference input 'C' for model 'add'");
}

TEST(ValidateInfer, refuses_an_input_given_twice) {
  Model model;
  model.input.inputs.push_back(floats("A", {2, 4}));
  EXPECT_EQ(model.fault(), "input 'A' is given twice for model 'add'");
}

TEST(ValidateInfer, refuses_another_datatype) {
  Model model;
  const std::array<std::int64_t, 8> values{};
  model.input.inputs[0] = tensor_of("A", {2, 4}, values);
  EXPECT_EQ(
      model.fault(), "inference input 'A' data-type is 'INT64', but model 'add' expects 'FP32'"
  );
}

TEST(ValidateInfer, refuses_another_shape) {
  Model model;
  model.input.inputs[0] = floats("A", {2, 5});
  EXPECT_EQ(
      model.fault(), "unexpected shape for input 'A' for model 'add'. Expected [-1,4], got [2,5]"
  );
  model.input.inputs[0] = floats("A", {8});
  EXPECT_NE(model.fault(), "");
}

TEST(ValidateInfer, refuses_a_batch_above_the_limit) {
  Model model;
  model.input.inputs = {floats("A", {9, 4}), floats("B", {9, 4})};
  EXPECT_EQ(model.fault(), "inference request batch-size must be <= 8 for 'add'");
}

TEST(ValidateInfer, refuses_an_empty_batch) {
  Model model;
  model.input.inputs = {floats("A", {0, 4}), floats("B", {0, 4})};
  EXPECT_EQ(model.fault(), "inference request batch-size must be > 0 for 'add'");
}

TEST(ValidateInfer, refuses_batches_that_differ) {
  Model model;
  model.input.inputs[1] = floats("B", {3, 4});
  EXPECT_EQ(model.fault(), "input 'B' batch size does not match other inputs for model 'add'");
}

TEST(ValidateInfer, zero_sized_tensors_are_fine_without_a_batch) {
  Model model;
  model.config.max_batch_size = 0;
  model.input.inputs = {floats("A", {0, 4}), floats("B", {0, 4})};
  EXPECT_EQ(model.fault(), "");
}

TEST(ValidateInfer, a_scalar_input_of_a_batched_model_has_the_batch_alone) {
  Model model;
  model.signature.inputs = {{"A", DataType::kFp32, {}, false}};
  model.input.inputs = {floats("A", {})};
  EXPECT_EQ(model.fault(), "unexpected shape for input 'A' for model 'add'. Expected [-1], got []");
}

TEST(ValidateInfer, refuses_outputs_that_do_not_exist_or_come_twice) {
  Model model;
  model.input.outputs = {"DIFFERENCE"};
  EXPECT_EQ(model.fault(), "unexpected inference output 'DIFFERENCE' for model 'add'");
  model.input.outputs = {"SUM", "SUM"};
  EXPECT_EQ(model.fault(), "output 'SUM' is asked for twice for model 'add'");
}

TEST(WireShape, has_the_batch_in_front_of_configured_dimensions) {
  Model model;
  model.config.inputs = {{"A", DataType::kFp32, {4}, false}};
  EXPECT_EQ(wire_shape(model.signature.inputs[0], model.config), (Shape{-1, 4}));
  model.config.max_batch_size = 0;
  model.config.inputs[0].shape = {2, 4};
  EXPECT_EQ(wire_shape(model.signature.inputs[0], model.config), (Shape{2, 4}));
}

TEST(WireShape, a_batch_varies_even_where_the_file_fixes_it) {
  Model model;
  model.signature.inputs[0].shape = {1, 4};
  EXPECT_EQ(wire_shape(model.signature.inputs[0], model.config), (Shape{-1, 4}));
}

}  // namespace
}  // namespace cortex
