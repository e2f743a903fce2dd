// SPDX-License-Identifier: Apache-2.0
#include "scheduler/padding.h"

#include <array>

#include <gtest/gtest.h>

#include "scheduler/testing/row_backend.h"

namespace cortex::scheduler {
namespace {

using testing::row_config;
using testing::row_request;
using testing::RowBackend;

Batch batch_of(const TensorLayout& layout, std::vector<std::shared_ptr<Request>> requests) {
  Batch batch;
  for (auto& request : requests) {
    const auto fit = layout.fit(std::get<InferInput>(request->input));
    CHECK(fit.ok(), "the test's request fits");
    Waiting waiting;
    waiting.key = fit->key;
    waiting.rows = fit->rows;
    waiting.length = fit->length;
    waiting.request = request;
    batch.rows += waiting.rows;
    batch.length = std::max(batch.length, waiting.length);
    batch.members.push_back(std::move(waiting));
  }
  return batch;
}

std::vector<std::int64_t> values(const Tensor& tensor) {
  const auto span = tensor.as<std::int64_t>();
  return {span.begin(), span.end()};
}

class PaddingTest : public ::testing::Test {
 protected:
  TensorLayout layout() const { return {backend_.signature(), config_}; }
  RowBackend backend_;
  ModelConfig config_ = row_config(8);
};

TEST_F(PaddingTest, fills_ids_with_the_pad_token_and_masks_with_zero) {
  config_.parameters["pad_token_id"] = "-3";
  const TensorLayout layout = this->layout();
  const Batch batch = batch_of(layout, {row_request(1, 2, 5), row_request(2, 3, 6)});
  std::vector<Tensor> inputs;
  ASSERT_TRUE(gather(layout, batch, inputs).ok());
  EXPECT_EQ(inputs[0].shape, (Shape{3, 3}));
  EXPECT_EQ(
      values(inputs[0]), (std::vector<std::int64_t>{155, 172, -3, 186, 203, 220, 237, 254, 271})
  );
  EXPECT_EQ(values(inputs[1]), (std::vector<std::int64_t>{1, 1, 0, 1, 1, 1, 1, 1, 1}));
}

TEST_F(PaddingTest, cuts_outputs_back_and_shares_their_memory_where_it_can) {
  const TensorLayout layout = this->layout();
  const Batch batch =
      batch_of(layout, {row_request(1, 2, 1), row_request(2, 1, 2), row_request(1, 3, 3)});
  const std::array<float, 12> hidden = {0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32};
  const std::array<float, 4> pooled = {5, 6, 7, 8};
  const std::vector<Tensor> outputs = {
      tensor_of("hidden", {4, 3, 1}, hidden), tensor_of("pooled", {4, 1}, pooled)
  };
  std::vector<std::vector<Tensor>> answers;
  scatter(layout, batch, outputs, answers);
  EXPECT_EQ(answers[0][0].shape, (Shape{1, 2, 1}));
  EXPECT_EQ(answers[0][0].bytes.data(), outputs[0].bytes.data());
  EXPECT_EQ(answers[1][0].shape, (Shape{2, 1, 1}));
  const auto cut = answers[1][0].as<float>();
  EXPECT_EQ(std::vector<float>(cut.begin(), cut.end()), (std::vector<float>{10, 20}));
  EXPECT_EQ(answers[2][0].shape, (Shape{1, 3, 1}));
  EXPECT_EQ(answers[2][0].owner, outputs[0].owner);
  EXPECT_EQ(answers[1][1].as<float>()[1], 7.0f);
}

TEST_F(PaddingTest, cuts_string_outputs_at_their_elements) {
  ModelSignature signature = backend_.signature();
  signature.outputs = {{"tags", DataType::kBytes, {-1, -1}, false}};
  const TensorLayout layout(signature, config_);
  const Batch batch = batch_of(layout, {row_request(1, 1, 1), row_request(1, 2, 2)});
  const std::array<std::string, 4> tags = {"a", "padding", "", "ccc"};
  std::vector<std::vector<Tensor>> answers;
  scatter(layout, batch, {tensor_of("tags", {2, 2}, tags)}, answers);
  EXPECT_EQ(string_elements(answers[0][0]), (std::vector<std::string_view>{"a"}));
  EXPECT_EQ(string_elements(answers[1][0]), (std::vector<std::string_view>{"", "ccc"}));
}

TEST_F(PaddingTest, finds_outputs_that_are_not_the_batchs) {
  const TensorLayout layout = this->layout();
  const Batch batch = batch_of(layout, {row_request(1, 2, 1), row_request(1, 2, 2)});
  const std::array<float, 3> three = {1, 2, 3};
  const auto code_of = [&](Tensor output) {
    return check_outputs(layout, batch.rows, {std::move(output)}).code();
  };
  EXPECT_EQ(code_of(tensor_of("pooled", {3, 1}, three)), Code::kInternal);
  Tensor torn = tensor_of("pooled", {3, 1}, three);
  torn.shape[0] = 2;
  EXPECT_EQ(code_of(torn), Code::kInternal);
  torn.shape.clear();
  EXPECT_EQ(code_of(torn), Code::kInternal);
  EXPECT_EQ(code_of(tensor_of("pooled", {2, 1}, std::span(three).first(2))), Code::kOk);
}

TEST_F(PaddingTest, refuses_to_gather_what_does_not_belong_together) {
  config_.batching.pad_lengths = false;
  const TensorLayout layout = this->layout();
  const Batch batch = batch_of(layout, {row_request(1, 2, 1), row_request(1, 3, 2)});
  EXPECT_NE(batch.members[0].key, batch.members[1].key);
  std::vector<Tensor> inputs;
  EXPECT_EQ(gather(layout, batch, inputs).code(), Code::kInternal);
}

TEST(TensorLayout, runs_alone_what_neighbours_would_change) {
  const RowBackend backend(true);
  ModelConfig config = row_config(8);
  EXPECT_EQ(TensorLayout(backend.signature(), config).rows_max(), 1u);
  config.batching.allow_variance = true;
  EXPECT_EQ(TensorLayout(backend.signature(), config).rows_max(), 8u);
}

TEST(TensorLayout, batches_only_where_rows_vary_and_the_owner_says_so) {
  const RowBackend backend;
  ModelConfig config = row_config(8);
  ModelSignature fixed = backend.signature();
  fixed.outputs[1].shape = {1};
  EXPECT_FALSE(TensorLayout(fixed, config).batches());
  config.batching.enabled = false;
  EXPECT_FALSE(TensorLayout(backend.signature(), config).batches());
  EXPECT_FALSE(TensorLayout(backend.signature(), row_config(0)).batches());
}

TEST(TensorLayout, pads_only_a_model_that_takes_a_mask) {
  const RowBackend backend;
  ModelSignature blind = backend.signature();
  EXPECT_TRUE(TensorLayout(blind, row_config(8)).pads());
  blind.inputs[1].name = "token_type_ids";
  EXPECT_FALSE(TensorLayout(blind, row_config(8)).pads());
}

TEST(TensorLayout, tells_requests_apart_that_ask_for_other_outputs) {
  const RowBackend backend;
  const TensorLayout layout(backend.signature(), row_config(8));
  auto request = row_request(1, 4, 1);
  auto& input = std::get<InferInput>(request->input);
  const auto all = layout.fit(input);
  input.outputs = {"pooled"};
  const auto some = layout.fit(input);
  ASSERT_TRUE(all.ok() && some.ok());
  EXPECT_NE(all->key, some->key);
  EXPECT_EQ(all->length, 4u);
}

TEST(TensorLayout, refuses_what_would_break_the_lane) {
  const RowBackend backend;
  const TensorLayout layout(backend.signature(), row_config(8));
  auto request = row_request(9, 4, 1);
  EXPECT_EQ(
      layout.fit(std::get<InferInput>(request->input)).status().code(), Code::kInvalidArgument
  );
  request = row_request(1, 4, 1);
  std::get<InferInput>(request->input).inputs[0].name = "other";
  EXPECT_EQ(
      layout.fit(std::get<InferInput>(request->input)).status().code(), Code::kInvalidArgument
  );
}

}  // namespace
}  // namespace cortex::scheduler
