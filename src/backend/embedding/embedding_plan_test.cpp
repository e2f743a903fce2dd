// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/detail/embedding_plan.h"

#include <optional>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

ModelConfig config_with(Pooling pooling) {
  ModelConfig config;
  config.name = "sample";
  config.text.pooling = pooling;
  return config;
}

ModelSignature bert() {
  ModelSignature out;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    out.inputs.push_back({name, DataType::kInt64, {-1, -1}});
  }
  out.outputs = {
      {"pooler_output", DataType::kFp32, {-1, 8}},
      {"last_hidden_state", DataType::kFp32, {-1, -1, 8}}
  };
  return out;
}

text::Encoding encoding_of(std::vector<std::int64_t> ids) {
  text::Encoding out;
  out.type_ids.assign(ids.size(), 0);
  out.ids = std::move(ids);
  return out;
}

std::vector<std::int64_t> values_of(const Tensor& tensor) {
  const auto values = tensor.as<std::int64_t>();
  return {values.begin(), values.end()};
}

TEST(EmbeddingPlan, pools_the_hidden_states) {
  const auto plan = embedding_plan(config_with(Pooling::kMean), bert());
  ASSERT_TRUE(plan.ok()) << plan.status().to_string();
  EXPECT_EQ(plan->output, "last_hidden_state");
  EXPECT_FALSE(plan->pooled);
  EXPECT_EQ(plan->inputs.size(), 3u);
  EXPECT_EQ(plan->context_length, 512u);
  EXPECT_EQ(plan->fixed_length, 0u);
}

TEST(EmbeddingPlan, takes_a_sentence_embedding_as_it_is) {
  ModelSignature signature = bert();
  signature.outputs.push_back({"sentence_embedding", DataType::kFp32, {-1, 8}});
  const auto plan = embedding_plan(config_with(Pooling::kNone), signature);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->output, "sentence_embedding");
  EXPECT_TRUE(plan->pooled);
}

TEST(EmbeddingPlan, takes_the_first_output_of_the_rank_where_no_name_is_known) {
  ModelSignature signature = bert();
  signature.outputs[1].name = "0";
  EXPECT_EQ(embedding_plan(config_with(Pooling::kCls), signature)->output, "0");
  EXPECT_EQ(embedding_plan(config_with(Pooling::kNone), signature)->output, "pooler_output");
}

TEST(EmbeddingPlan, reads_a_score_for_each_pair) {
  ModelSignature signature = bert();
  signature.outputs.push_back({"logits", DataType::kFp32, {-1, 1}});
  const auto plan = embedding_plan(config_with(Pooling::kRank), signature);
  ASSERT_TRUE(plan.ok()) << plan.status().text();
  EXPECT_EQ(plan->output, "logits");
  signature.outputs.back().shape = {-1, 3};
  EXPECT_EQ(
      embedding_plan(config_with(Pooling::kRank), signature).status().code(),
      Code::kFailedPrecondition
  );
}

TEST(EmbeddingPlan, pools_as_the_outputs_allow_where_nobody_said_how) {
  const auto pooling = [](std::vector<TensorSpec> outputs) {
    ModelSignature signature = bert();
    signature.outputs = std::move(outputs);
    const auto plan = embedding_plan(ModelConfig(), signature);
    return plan.ok() ? std::optional(plan->pooling) : std::nullopt;
  };
  const TensorSpec states{"last_hidden_state", DataType::kFp32, {-1, -1, 8}};
  const TensorSpec logits{"logits", DataType::kFp32, {-1, 1}};
  const TensorSpec classes{"logits", DataType::kFp32, {-1, 3}};
  const TensorSpec embedding{"sentence_embedding", DataType::kFp32, {-1, 8}};
  EXPECT_EQ(pooling({embedding, logits, states}), Pooling::kMean);
  EXPECT_EQ(pooling({embedding, logits}), Pooling::kRank);
  EXPECT_EQ(pooling({embedding}), Pooling::kNone);
  EXPECT_EQ(pooling({classes}), std::nullopt);
}

TEST(EmbeddingPlan, knows_the_configured_and_the_fixed_length) {
  ModelConfig config = config_with(Pooling::kMean);
  config.text.context_length = 256;
  EXPECT_EQ(embedding_plan(config, bert())->context_length, 256u);
  ModelSignature fixed = bert();
  for (TensorSpec& spec : fixed.inputs) spec.shape = {1, 128};
  const auto plan = embedding_plan(config, fixed);
  EXPECT_EQ(plan->context_length, 128u);
  EXPECT_EQ(plan->fixed_length, 128u);
}

TEST(EmbeddingPlan, refuses_models_that_are_not_of_text) {
  const auto code = [](const ModelSignature& signature, Pooling pooling = Pooling::kMean) {
    const Status status = embedding_plan(config_with(pooling), signature).status();
    EXPECT_NE(status.text().find("model 'sample' takes no text"), std::string::npos)
        << status.text();
    return status.code();
  };
  ModelSignature signature = bert();
  signature.inputs[0].name = "pixels";
  EXPECT_EQ(code(signature), Code::kFailedPrecondition);
  signature = bert();
  signature.inputs.erase(signature.inputs.begin());
  EXPECT_EQ(code(signature), Code::kFailedPrecondition);
  signature = bert();
  signature.inputs[1].datatype = DataType::kFp32;
  EXPECT_EQ(code(signature), Code::kFailedPrecondition);
  signature = bert();
  signature.inputs[1].shape = {-1};
  EXPECT_EQ(code(signature), Code::kFailedPrecondition);
  signature = bert();
  signature.outputs.pop_back();
  EXPECT_EQ(code(signature), Code::kFailedPrecondition);
  signature.outputs[0].datatype = DataType::kInt64;
  EXPECT_EQ(code(signature, Pooling::kNone), Code::kFailedPrecondition);
}

TEST(EmbeddingPlan, ignores_an_optional_input_it_cannot_fill) {
  ModelSignature signature = bert();
  signature.inputs.push_back({"temperature", DataType::kFp32, {1}, true});
  EXPECT_TRUE(embedding_plan(config_with(Pooling::kMean), signature).ok());
}

TEST(TokenTensors, fill_every_kind_of_input) {
  EmbeddingPlan plan;
  plan.inputs = {
      {"input_ids", TokenInput::kIds, DataType::kInt64},
      {"attention_mask", TokenInput::kMask, DataType::kInt64},
      {"token_type_ids", TokenInput::kTypes, DataType::kInt64},
      {"position_ids", TokenInput::kPositions, DataType::kInt64},
  };
  const auto tensors = token_tensors(plan, encoding_of({7, 8, 9}));
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(values_of(tensors[0]), (std::vector<std::int64_t>{7, 8, 9}));
  EXPECT_EQ(values_of(tensors[1]), (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_EQ(values_of(tensors[2]), (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(values_of(tensors[3]), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(tensors[0].shape, (Shape{1, 3}));
  for (const Tensor& tensor : tensors) EXPECT_TRUE(validate(tensor).ok());
}

TEST(TokenTensors, pad_to_a_fixed_length_and_know_narrow_integers) {
  EmbeddingPlan plan;
  plan.fixed_length = 4;
  plan.inputs = {
      {"input_ids", TokenInput::kIds, DataType::kInt32},
      {"attention_mask", TokenInput::kMask, DataType::kInt64},
  };
  const auto tensors = token_tensors(plan, encoding_of({7, 8}));
  EXPECT_EQ(tensors[0].as<std::int32_t>()[1], 8);
  EXPECT_EQ(tensors[0].as<std::int32_t>()[3], 0);
  EXPECT_EQ(values_of(tensors[1]), (std::vector<std::int64_t>{1, 1, 0, 0}));
}

}  // namespace
}  // namespace cortex::backend
