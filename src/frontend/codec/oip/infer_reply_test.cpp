// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/infer_reply.h"

#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "frontend/codec/oip/classification.h"

namespace cortex::frontend::oip {
namespace {

template <typename T>
Tensor numbers(DataType type, const std::vector<T>& values) {
  std::span<std::byte> out;
  Tensor tensor = make_tensor("y", type, {static_cast<std::int64_t>(values.size())}, out).value();
  if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
  return tensor;
}

Tensor strings(Shape shape, const std::vector<std::string>& values) {
  return tensor_of("y", std::move(shape), values);
}

Result<HttpReply> reply_to(const ReplyPlan& plan, std::vector<Tensor> outputs) {
  return write_infer_reply(plan, {"m", "3"}, {std::move(outputs), {}}, nullptr);
}

// What stands in "data" of a JSON answer with that one output.
std::string data_of(Tensor tensor) {
  const auto reply = reply_to({}, {std::move(tensor)});
  if (!reply.ok()) return reply.status().text();
  const std::string& body = reply->body;
  const auto at = body.find(R"("data":)") + 7;
  return body.substr(at, body.size() - at - 3);
}

TEST(InferReply, is_one_json_object) {
  ReplyPlan plan;
  plan.id = "a\"b";
  const auto reply = reply_to(plan, {numbers<std::int32_t>(DataType::kInt32, {1, -2})});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(
      reply->body,
      R"({"id":"a\"b","model_name":"m","model_version":"3","outputs":[)"
      R"({"name":"y","datatype":"INT32","shape":[2],"data":[1,-2]}]})"
  );
  EXPECT_EQ(reply->content_type, "application/json");
  EXPECT_TRUE(reply->headers.empty());
}

TEST(InferReply, says_the_parameters_of_the_answer) {
  const Parameters parameters{
      {"b", true}, {"n", std::int64_t{-1}}, {"d", 0.5}, {"s", std::string("x")}
  };
  const auto reply = write_infer_reply({}, {"m", "1"}, {{}, parameters}, nullptr);
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(
      reply->body,
      R"({"model_name":"m","model_version":"1","parameters":{"b":true,"n":-1,"d":0.5,"s":"x"},"outputs":[]})"
  );
}

TEST(InferReply, numbers_read_back_to_the_same_value) {
  EXPECT_EQ(
      data_of(numbers<float>(DataType::kFp32, {0.1F, 1.0F, -3.5e10F, 1e-45F})),
      "[0.1,1,-3.5e+10,1e-45]"
  );
  EXPECT_EQ(data_of(numbers<double>(DataType::kFp64, {0.1, 2.0 / 3})), "[0.1,0.6666666666666666]");
  EXPECT_EQ(data_of(numbers<std::int8_t>(DataType::kInt8, {-128, 65})), "[-128,65]");
  EXPECT_EQ(data_of(numbers<std::uint8_t>(DataType::kUint8, {255})), "[255]");
  EXPECT_EQ(
      data_of(numbers<std::uint64_t>(DataType::kUint64, {std::numeric_limits<std::uint64_t>::max()})
      ),
      "[18446744073709551615]"
  );
  EXPECT_EQ(data_of(numbers<std::uint8_t>(DataType::kBool, {1, 0})), "[true,false]");
  EXPECT_EQ(data_of(numbers<float>(DataType::kFp32, {})), "[]");
}

TEST(InferReply, what_json_lacks_becomes_null) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      data_of(numbers<float>(
          DataType::kFp32, {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}
      )),
      "[null,null,null]"
  );
}

TEST(InferReply, many_numbers_cross_the_writers_blocks) {
  const std::vector<double> values(5000, -1.7976931348623157e308);
  std::string expected = "[-1.7976931348623157e+308";
  for (int i = 1; i < 5000; ++i) expected += ",-1.7976931348623157e+308";
  EXPECT_EQ(data_of(numbers<double>(DataType::kFp64, values)), expected + "]");
}

TEST(InferReply, strings_are_escaped) {
  EXPECT_EQ(data_of(strings({2}, {"a\n\"", "é"})), R"(["a\n\"","é"])");
}

TEST(InferReply, refuses_json_for_what_has_no_json_form) {
  EXPECT_EQ(
      data_of(strings({1}, {"\xff"})),
      "output 'y' holds bytes that are not UTF-8: ask for it as binary data (output parameter "
      "'binary_data')"
  );
  const auto half = reply_to({}, {numbers<std::uint16_t>(DataType::kFp16, {0})});
  EXPECT_EQ(half.status().code(), Code::kInvalidArgument);
}

TEST(InferReply, binary_tensors_are_sent_from_where_they_lie) {
  ReplyPlan plan;
  plan.binary_default = true;
  const Tensor tensor = numbers<float>(DataType::kFp32, {1, 2});
  const auto reply = reply_to(plan, {tensor});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(
      reply->body,
      R"({"model_name":"m","model_version":"3","outputs":[)"
      R"({"name":"y","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]})"
  );
  EXPECT_EQ(reply->content_type, "application/octet-stream");
  ASSERT_EQ(reply->headers.size(), 1U);
  EXPECT_EQ(reply->headers[0].first, "Inference-Header-Content-Length");
  EXPECT_EQ(reply->headers[0].second, std::to_string(reply->body.size()));
  ASSERT_EQ(reply->segments.size(), 1U);
  EXPECT_EQ(reply->segments[0].bytes.data(), tensor.bytes.data());
}

TEST(InferReply, segments_keep_the_lease_until_they_are_gone) {
  ReplyPlan plan;
  plan.binary_default = true;
  auto lease = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = lease;
  auto reply = write_infer_reply(
      plan, {"m", "1"}, {{numbers<float>(DataType::kFp32, {1})}, {}}, std::move(lease)
  );
  ASSERT_TRUE(reply.ok());
  EXPECT_FALSE(watch.expired());
  reply->segments.clear();
  EXPECT_TRUE(watch.expired());
}

TEST(InferReply, each_output_may_choose_its_form) {
  ReplyPlan plan;
  plan.binary_default = true;
  plan.outputs = {{"a", false, 0}, {"y", std::nullopt, 0}};
  Tensor first = numbers<std::int8_t>(DataType::kInt8, {1});
  first.name = "a";
  const auto reply = reply_to(plan, {first, numbers<std::int8_t>(DataType::kInt8, {2})});
  ASSERT_TRUE(reply.ok());
  EXPECT_NE(reply->body.find(R"("data":[1])"), std::string::npos);
  EXPECT_EQ(reply->segments.size(), 1U);
}

TEST(InferReply, an_empty_binary_tensor_has_no_segment) {
  ReplyPlan plan;
  plan.binary_default = true;
  const auto reply = reply_to(plan, {numbers<float>(DataType::kFp32, {})});
  ASSERT_TRUE(reply.ok());
  EXPECT_NE(reply->body.find(R"("binary_data_size":0)"), std::string::npos);
  EXPECT_TRUE(reply->segments.empty());
}

std::vector<std::string_view> classes_of(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok());
  return string_elements(*tensor);
}

TEST(Classification, gives_the_best_first) {
  const auto best = classify(numbers<float>(DataType::kFp32, {0.5F, 3.25F, -1}), 2, false);
  EXPECT_EQ(best->shape, (Shape{2}));
  EXPECT_EQ(classes_of(best), (std::vector<std::string_view>{"3.25:1", "0.5:0"}));
}

TEST(Classification, ranks_each_row_of_a_batch) {
  Tensor scores = numbers<std::int32_t>(DataType::kInt32, {1, 2, 9, 4});
  scores.shape = {2, 2};
  const auto best = classify(scores, 1, true);
  EXPECT_EQ(best->shape, (Shape{2, 1}));
  EXPECT_EQ(classes_of(best), (std::vector<std::string_view>{"2:1", "9:0"}));
}

TEST(Classification, never_gives_more_than_there_are) {
  const auto best = classify(numbers<float>(DataType::kFp32, {1, 1}), 1'000'000'000'000, false);
  EXPECT_EQ(classes_of(best), (std::vector<std::string_view>{"1:0", "1:1"}));
  EXPECT_EQ(classify(numbers<float>(DataType::kFp32, {}), 3, false)->shape, (Shape{0}));
}

TEST(Classification, ranks_nan_last) {
  const auto best = classify(
      numbers<float>(DataType::kFp32, {std::numeric_limits<float>::quiet_NaN(), -5}), 2, false
  );
  EXPECT_EQ(classes_of(best).front(), "-5:1");
}

TEST(Classification, refuses_types_without_an_order) {
  EXPECT_EQ(
      classify(strings({1}, {"a"}), 1, false).status().text(),
      "class result not available for output 'y' due to unsupported type 'BYTES'"
  );
}

}  // namespace
}  // namespace cortex::frontend::oip
