// SPDX-License-Identifier: Apache-2.0
#include "registry/complete_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::HasSubstr;

ModelSignature signature(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs) {
  return {std::move(inputs), std::move(outputs), false};
}

ModelSignature text_model() {
  return signature(
      {{"input_ids", DataType::kInt64, {-1, -1}}, {"attention_mask", DataType::kInt64, {-1, -1}}},
      {{"last_hidden_state", DataType::kFp32, {-1, -1, 384}}}
  );
}

ModelConfig open_config() {
  ModelConfig config;
  config.name = "m";
  config.open = {.batch_size = true, .pad_lengths = true};
  return config;
}

ModelConfig batched_config(std::size_t size) {
  ModelConfig config;
  config.name = "m";
  config.max_batch_size = size;
  return config;
}

TEST(CompleteConfig, derives_batching_from_varying_first_dimensions) {
  const auto config = complete_config(open_config(), text_model());
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->max_batch_size, kDerivedBatchSize);
  EXPECT_TRUE(config->batching.enabled);
  EXPECT_EQ(config->inputs.at(0).shape, Shape{-1});
  EXPECT_EQ(config->outputs.at(0).shape, (Shape{-1, 384}));
  EXPECT_FALSE(config->open.batch_size);
}

TEST(CompleteConfig, tells_beforehand_whether_it_would_derive_batching) {
  EXPECT_TRUE(derives_batching(open_config(), text_model()));
  EXPECT_FALSE(derives_batching(batched_config(8), text_model()));
  ModelConfig closed = open_config();
  closed.open.batch_size = false;
  EXPECT_FALSE(derives_batching(closed, text_model()));
  EXPECT_EQ(complete_config(closed, text_model())->max_batch_size, 0U);
  EXPECT_EQ(complete_config(closed, text_model())->inputs.at(0).shape, (Shape{-1, -1}));
}

TEST(CompleteConfig, derives_no_batching_when_a_first_dimension_is_fixed) {
  const auto config = complete_config(
      open_config(), signature({{"x", DataType::kFp32, {-1, 4}}}, {{"y", DataType::kFp32, {1, 4}}})
  );
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->max_batch_size, 0U);
  EXPECT_FALSE(config->batching.enabled);
  EXPECT_EQ(config->inputs.at(0).shape, (Shape{-1, 4}));
}

TEST(CompleteConfig, takes_a_lone_varying_dimension_for_a_length) {
  const auto config = complete_config(
      open_config(), signature({{"x", DataType::kFp32, {-1}}}, {{"y", DataType::kFp32, {-1}}})
  );
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->max_batch_size, 0U);
}

TEST(CompleteConfig, pads_lengths_of_text_models_alone) {
  EXPECT_FALSE(complete_config(open_config(), text_model())->batching.pad_lengths);
  ModelConfig text = open_config();
  text.text.tokenizer = "vocab.txt";
  EXPECT_TRUE(complete_config(text, text_model())->batching.pad_lengths);
  text.open.pad_lengths = false;
  EXPECT_FALSE(complete_config(text, text_model())->batching.pad_lengths);
}

TEST(CompleteConfig, does_not_batch_where_neighbours_change_an_answer) {
  ModelSignature quantised = text_model();
  quantised.batch_changes_answers = true;
  ModelConfig config = open_config();
  config.text.tokenizer = "vocab.txt";
  const auto careful = complete_config(config, quantised);
  ASSERT_TRUE(careful.ok());
  EXPECT_FALSE(careful->batching.enabled);
  EXPECT_FALSE(careful->batching.pad_lengths);
  config.batching.allow_variance = true;
  const auto allowed = complete_config(config, quantised);
  ASSERT_TRUE(allowed.ok());
  EXPECT_TRUE(allowed->batching.enabled);
  EXPECT_TRUE(allowed->batching.pad_lengths);
}

TEST(CompleteConfig, keeps_what_is_declared_and_fits) {
  ModelConfig config = batched_config(8);
  config.inputs = {{"x", DataType::kFp32, {3, 224}}};
  config.outputs = {{"y", DataType::kFp32, {10}}};
  const auto done = complete_config(
      config,
      signature(
          {{"x", DataType::kFp32, {-1, 3, -1}}},
          {{"y", DataType::kFp32, {-1, 10}}, {"z", DataType::kFp32, {-1, 2}}}
      )
  );
  ASSERT_TRUE(done.ok()) << done.status().to_string();
  EXPECT_EQ(done->inputs.at(0).shape, (Shape{3, 224}));
  EXPECT_EQ(done->outputs.size(), 1U);
}

struct Misfit {
  const char* name;
  ModelConfig config;
  const char* text;
};

class CompleteConfigMisfit : public testing::TestWithParam<Misfit> {};

TEST_P(CompleteConfigMisfit, is_named) {
  const auto model = signature(
      {{"x", DataType::kFp32, {-1, 4}}, {"mask", DataType::kInt64, {-1, 4}}},
      {{"y", DataType::kFp32, {-1, 2}}}
  );
  const auto done = complete_config(GetParam().config, model);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(done.status().text(), HasSubstr(GetParam().text));
}

ModelConfig declaring(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs = {}) {
  ModelConfig config = batched_config(4);
  config.inputs = std::move(inputs);
  config.outputs = std::move(outputs);
  return config;
}

ModelConfig with(void (*change)(ModelConfig&)) {
  ModelConfig config = batched_config(4);
  change(config);
  return config;
}

const TensorSpec kMask{"mask", DataType::kInt64, {4}};

INSTANTIATE_TEST_SUITE_P(
    CompleteConfig,
    CompleteConfigMisfit,
    testing::Values(
        Misfit{
            "unknown_input",
            declaring({{"foo", DataType::kFp32, {4}}, kMask}),
            "unexpected inference input 'foo', allowed inputs are: x, mask"
        },
        Misfit{
            "unknown_output",
            declaring({{"x", DataType::kFp32, {4}}, kMask}, {{"foo", DataType::kFp32, {4}}}),
            "unexpected inference output 'foo', allowed outputs are: y"
        },
        Misfit{"missing_input", declaring({{"x", DataType::kFp32, {4}}}), "'mask' is missing"},
        Misfit{"declared_twice", declaring({kMask, kMask}), "'mask': is declared twice"},
        Misfit{
            "datatype",
            declaring({{"x", DataType::kInt32, {4}}, kMask}),
            "tensor 'x': the model expects datatype FP32 but the model configuration specifies "
            "INT32"
        },
        Misfit{
            "dimension",
            declaring({{"x", DataType::kFp32, {5}}, kMask}),
            "tensor 'x': the model expects 2 dimensions (shape [-1,4]) but the model configuration "
            "specifies 2 dimensions (an initial batch dimension because max_batch_size > 0 "
            "followed "
            "by the explicit tensor shape, making complete shape [-1,5])"
        },
        Misfit{
            "rank", declaring({{"x", DataType::kFp32, {4, 4}}, kMask}), "specifies 3 dimensions"
        },
        Misfit{
            "preferred_size",
            with([](ModelConfig& c) { c.batching.preferred_sizes = {2, 8}; }),
            "preferred size must be <= max batch size"
        },
        Misfit{
            "warmup_input",
            with([](ModelConfig& c) {
              c.warmup = {{.name = "w", .inputs = {{"foo", DataType::kFp32, {}}}}};
            }),
            "warm-up 'w': the model has no input 'foo'"
        },
        Misfit{
            "warmup_batch",
            with([](ModelConfig& c) { c.warmup = {{.name = "w", .batch_size = 5, .inputs = {}}}; }),
            "batch_size is above max_batch_size"
        }
    ),
    [](const auto& row) { return std::string(row.param.name); }
);

TEST(CompleteConfig, refuses_a_batch_size_where_the_model_has_no_batch_dimension) {
  const auto done = complete_config(
      batched_config(4), signature({{"x", DataType::kFp32, {3, 4}}}, {{"y", DataType::kFp32, {3}}})
  );
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(
      done.status().text(),
      "model 'm', tensor 'x': for the model to support batching the shape should have at least 1 "
      "dimension and the "
      "first dimension must be -1; but shape expected by the model is [3,4]"
  );
}

TEST(CompleteConfig, a_language_model_has_no_tensors_no_batches_and_one_instance) {
  ModelSignature signature;
  signature.generates = true;
  ModelConfig config;
  config.name = "chat";
  config.open = {.batch_size = true, .pad_lengths = true};
  config.text.tokenizer = "tokenizer.json";  // lay beside the model
  config.generation.cells = 512;
  const auto completed = complete_config(config, signature);
  ASSERT_TRUE(completed.ok()) << completed.status().text();
  EXPECT_EQ(completed->max_batch_size, 0u);
  EXPECT_FALSE(completed->batching.enabled);
  EXPECT_TRUE(completed->text.tokenizer.empty());
  EXPECT_EQ(completed->generation.cells, 512u);
  EXPECT_EQ(completed->generation.context_length, 0u);
  config.instances = 2;
  EXPECT_EQ(complete_config(config, signature).status().code(), Code::kInvalidArgument);
  config.instances = 1;
  config.inputs.emplace_back();
  EXPECT_EQ(complete_config(config, signature).status().code(), Code::kInvalidArgument);
  config.inputs.clear();
  config.open.batch_size = false;
  config.max_batch_size = 4;
  EXPECT_EQ(complete_config(config, signature).status().code(), Code::kInvalidArgument);
}

TEST(CompleteConfig, the_context_length_of_a_language_model_may_stand_outside_its_generation) {
  ModelSignature signature;
  signature.generates = true;
  ModelConfig config;
  config.name = "chat";
  config.open.batch_size = true;
  config.text.context_length = 64;
  const auto completed = complete_config(config, signature);
  ASSERT_TRUE(completed.ok()) << completed.status().text();
  EXPECT_EQ(completed->generation.context_length, 64u);
  config.generation.context_length = 64;
  EXPECT_TRUE(complete_config(config, signature).ok());
  config.generation.context_length = 65;
  EXPECT_EQ(complete_config(config, signature).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace cortex::registry
