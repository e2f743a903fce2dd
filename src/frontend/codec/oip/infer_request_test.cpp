// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/infer_request.h"

#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "frontend/codec/json_depth.h"
#include "frontend/codec/testing/fake_exchange.h"

namespace cortex::frontend::oip {
namespace {

using testing::body_of;

Result<InferCall> read(std::string_view json) { return read_infer(body_of(json), std::nullopt); }

Result<InferCall> read_binary(std::string_view json, std::string_view tensors) {
  return read_infer(body_of(std::string(json) + std::string(tensors), json.size()), json.size());
}

std::string fault(std::string_view json) {
  const auto call = read(json);
  EXPECT_TRUE(call.ok() || call.status().code() == Code::kInvalidArgument);
  return call.status().text();
}

// One input "x" of that type and shape with that data.
std::string input(std::string_view type, std::string_view shape, std::string_view data) {
  return R"({"inputs":[{"name":"x","datatype":")" + std::string(type) + R"(","shape":)" +
         std::string(shape) + R"(,"data":)" + std::string(data) + "}]}";
}

template <typename T>
std::vector<T> elements(const Result<InferCall>& call) {
  if (!call.ok()) {
    ADD_FAILURE() << call.status().text();
    return {};
  }
  const auto values = call->input.inputs.at(0).as<T>();
  return {values.begin(), values.end()};
}

TEST(InferJson, reads_the_whole_envelope) {
  const auto call = read(
      R"({"id":"7","parameters":{"priority":1,"timeout":2000,"mine":"a","n":-3,"d":1.5,"b":true},
      "inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2.5,-3e2,0]}],
      "outputs":[{"name":"y","parameters":{"binary_data":true}},{"name":"z","parameters":{"classification":3}}]})"
  );
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->plan.id, "7");
  EXPECT_EQ(call->priority, 1U);
  EXPECT_EQ(call->queue_timeout, std::chrono::milliseconds(2));
  EXPECT_EQ(
      call->parameters,
      (Parameters{{"mine", std::string("a")}, {"n", std::int64_t{-3}}, {"d", 1.5}, {"b", true}})
  );
  EXPECT_EQ(call->input.inputs.at(0).shape, (Shape{2, 2}));
  EXPECT_EQ(elements<float>(call), (std::vector<float>{1, 2.5, -300, 0}));
  EXPECT_EQ(call->input.outputs, (std::vector<std::string>{"y", "z"}));
  EXPECT_EQ(call->plan.outputs.at(0).binary, true);
  EXPECT_EQ(call->plan.outputs.at(1).binary, std::nullopt);
  EXPECT_EQ(call->plan.outputs.at(1).classes, 3U);
}

TEST(InferJson, data_may_be_flat_or_nested) {
  EXPECT_EQ(
      elements<std::int32_t>(read(input("INT32", "[2,2]", "[1,2,3,4]"))), (std::vector{1, 2, 3, 4})
  );
  EXPECT_EQ(
      elements<std::int32_t>(read(input("INT32", "[2,2]", "[[1,2],[3,4]]"))),
      (std::vector{1, 2, 3, 4})
  );
  EXPECT_EQ(elements<std::int32_t>(read(input("INT32", "[0]", "[]"))), std::vector<std::int32_t>{});
  EXPECT_EQ(
      elements<std::int32_t>(read(input("INT32", "[2,0]", "[[],[]]"))), std::vector<std::int32_t>{}
  );
  EXPECT_EQ(
      elements<std::int32_t>(read(input("INT32", "[]", "[5]"))), std::vector<std::int32_t>{5}
  );
}

TEST(InferJson, fields_may_come_in_any_order) {
  const auto call =
      read(R"({"inputs":[{"data":[[1],[2]],"shape":[2],"name":"x","datatype":"INT64"}],"id":"a"})");
  EXPECT_EQ(elements<std::int64_t>(call), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(call->plan.id, "a");
}

TEST(InferJson, every_type_keeps_its_extremes) {
  EXPECT_EQ(
      elements<std::int8_t>(read(input("INT8", "[2]", "[-128,127]"))),
      (std::vector<std::int8_t>{-128, 127})
  );
  EXPECT_EQ(
      elements<std::uint8_t>(read(input("UINT8", "[1]", "[255]"))), (std::vector<std::uint8_t>{255})
  );
  EXPECT_EQ(
      elements<std::int16_t>(read(input("INT16", "[1]", "[-32768]"))),
      (std::vector<std::int16_t>{-32768})
  );
  EXPECT_EQ(
      elements<std::uint16_t>(read(input("UINT16", "[1]", "[65535]"))),
      (std::vector<std::uint16_t>{65535})
  );
  EXPECT_EQ(
      elements<std::uint32_t>(read(input("UINT32", "[1]", "[4294967295]"))),
      (std::vector<std::uint32_t>{4294967295})
  );
  EXPECT_EQ(
      elements<std::int64_t>(
          read(input("INT64", "[2]", "[-9223372036854775808,9223372036854775807]"))
      ),
      (std::vector{
          std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()
      })
  );
  EXPECT_EQ(
      elements<std::uint64_t>(read(input("UINT64", "[1]", "[18446744073709551615]"))),
      (std::vector{std::numeric_limits<std::uint64_t>::max()})
  );
  EXPECT_EQ(
      elements<double>(read(input("FP64", "[2]", "[0.1,-1e-300]"))), (std::vector{0.1, -1e-300})
  );
  EXPECT_EQ(elements<bool>(read(input("BOOL", "[2]", "[true,false]"))), (std::vector{true, false}));
}

TEST(InferJson, refuses_values_that_the_type_cannot_hold) {
  EXPECT_EQ(
      fault(input("INT8", "[2]", "[1,300]")), "inputs[0]: data[1]: 300 is not a value of type INT8"
  );
  EXPECT_EQ(
      fault(input("INT8", "[1]", "[-129]")), "inputs[0]: data[0]: -129 is not a value of type INT8"
  );
  EXPECT_EQ(
      fault(input("UINT8", "[1]", "[-1]")), "inputs[0]: data[0]: -1 is not a value of type UINT8"
  );
  EXPECT_EQ(
      fault(input("INT32", "[1]", "[1.5]")), "inputs[0]: data[0]: 1.5 is not a value of type INT32"
  );
  EXPECT_EQ(
      fault(input("INT64", "[1]", "[9223372036854775808]")),
      "inputs[0]: data[0]: 9223372036854775808 is not a value of type INT64"
  );
  EXPECT_EQ(
      fault(input("FP32", "[1]", "[1e39]")), "inputs[0]: data[0]: 1e39 is not a value of type FP32"
  );
  EXPECT_EQ(
      fault(input("FP32", "[1]", "[\"1\"]")),
      "inputs[0]: data[0]: \"1\" is not a value of type FP32"
  );
  EXPECT_EQ(
      fault(input("FP32", "[1]", "[null]")), "inputs[0]: data[0]: null is not a value of type FP32"
  );
  EXPECT_EQ(
      fault(input("FP32", "[1]", "[{}]")),
      "inputs[0]: data[0]: an object is not a value of type FP32"
  );
  EXPECT_EQ(
      fault(input("BOOL", "[1]", "[1]")), "inputs[0]: data[0]: 1 is not a value of type BOOL"
  );
  EXPECT_EQ(
      fault(input("BYTES", "[1]", "[1]")), "inputs[0]: data[0]: 1 is not a value of type BYTES"
  );
  EXPECT_NE(fault(input("FP32", "[1]", "[NaN]")), "");
  EXPECT_NE(fault(input("FP64", "[1]", "[1e999]")), "");
}

TEST(InferJson, half_floats_have_no_json_form) {
  EXPECT_EQ(
      fault(input("FP16", "[1]", "[1]")),
      "inputs[0]: FP16 has no JSON form: send it as binary data (parameter 'binary_data_size')"
  );
  EXPECT_NE(fault(input("BF16", "[1]", "[1]")), "");
}

TEST(InferJson, refuses_more_or_fewer_elements_than_the_shape) {
  EXPECT_EQ(fault(input("FP32", "[2]", "[1]")), "inputs[0]: data: 1 elements, but the shape has 2");
  EXPECT_EQ(
      fault(input("FP32", "[2]", "[1,2,3]")),
      "inputs[0]: data: more than the 2 elements of the shape"
  );
  EXPECT_EQ(
      fault(input("FP32", "[1000000]", "[1]")),
      "inputs[0]: data: fewer elements than the 1000000 of shape [1000000]"
  );
}

TEST(InferJson, refuses_shapes_that_are_no_size) {
  EXPECT_NE(fault(input("FP32", "[-1]", "[1]")), "");
  EXPECT_NE(fault(input("FP32", "[1.5]", "[1]")), "");
  EXPECT_NE(fault(input("FP32", "[99999999999999999999]", "[1]")), "");
  EXPECT_NE(fault(input("FP32", "[4294967296,4294967296,4294967296]", "[1]")), "");
  EXPECT_NE(fault(input("FP32", "3", "[1]")), "");
  std::string ranks = "[1";
  for (int i = 0; i < 64; ++i) ranks += ",1";
  EXPECT_NE(fault(input("FP32", ranks + "]", "[1]")), "");
}

TEST(InferJson, nesting_is_bounded_by_what_was_set) {
  const auto nested = [](std::size_t levels) {
    return R"({"unknown":)" + std::string(levels, '[') + std::string(levels, ']') +
           R"(,"inputs":[]})";
  };
  // The request itself is the first level.
  const std::string shallow = fault(nested(63));
  EXPECT_EQ(shallow.find("nested deeper"), std::string::npos) << shallow;
  EXPECT_NE(fault(nested(64)).find("nested deeper than 64 levels"), std::string::npos);
  set_json_depth_max(512);  // the setting's most
  const std::string deepest = fault(nested(511));
  EXPECT_EQ(deepest.find("nested deeper"), std::string::npos) << deepest;
  EXPECT_NE(fault(nested(512)).find("nested deeper than 512 levels"), std::string::npos);
  set_json_depth_max(2);
  EXPECT_NE(fault(input("FP32", "[1]", "[[[1]]]")).find("than 2 levels"), std::string::npos);
  set_json_depth_max(64);
}

TEST(InferJson, refuses_ragged_and_deep_nesting) {
  EXPECT_EQ(fault(input("FP32", "[2]", "[1,[2]]")), "inputs[0]: data[1]: an array among values");
  EXPECT_EQ(
      fault(input("FP32", "[2]", "[[1],2]")),
      "inputs[0]: data: arrays and values are mixed on one level"
  );
  const std::string deep(100'000, '[');
  EXPECT_EQ(
      fault(input("FP32", "[1]", deep + std::string(100'000, ']'))),
      "inputs[0]: data: nested deeper than 64 levels (limits.json_depth)"
  );
  EXPECT_NE(fault(deep), "");
  EXPECT_NE(fault(R"({"unknown":)" + deep), "");
  EXPECT_NE(fault(R"({"unknown":)" + deep + std::string(100'000, ']') + R"(,"inputs":[]})"), "");
}

TEST(InferJson, strings_keep_every_byte) {
  const auto call = read(input("BYTES", "[3]", R"(["a\u0000b","","\ud83d\ude00é"])"));
  ASSERT_TRUE(call.ok()) << call.status().text();
  const std::vector<std::string_view> expected{{"a\0b", 3}, "", "😀é"};
  EXPECT_EQ(string_elements(call->input.inputs.at(0)), expected);
  EXPECT_NE(fault(input("BYTES", "[1]", R"(["\ud83d"])")), "");
  EXPECT_NE(fault(input("BYTES", "[1]", "[\"\xff\"]")), "");
}

TEST(InferJson, refuses_malformed_json) {
  const std::string good = input("FP32", "[1]", "[1]");
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_NE(fault(good.substr(0, length)), "") << good.substr(0, length);
  }
  EXPECT_NE(fault(good + "x"), "");
  EXPECT_NE(fault(good + good), "");
  EXPECT_NE(fault("[]"), "");
  EXPECT_NE(fault("null"), "");
  EXPECT_NE(fault(R"({"inputs":[] "id":"1"})"), "");
  EXPECT_NE(fault(R"({"unknown":nope,"inputs":[]})"), "");
  EXPECT_EQ(fault(good + " \n"), "");
}

TEST(InferJson, refuses_fields_that_are_missing_doubled_or_of_another_type) {
  EXPECT_EQ(fault("{}"), "'inputs' is missing");
  EXPECT_EQ(fault(R"({"inputs":{}})"), "'inputs' must be an array");
  EXPECT_EQ(fault(R"({"inputs":[1]})"), "inputs[0]: an input must be an object");
  EXPECT_EQ(fault(R"({"inputs":[{}]})"), "inputs[0]: 'name' is missing");
  EXPECT_EQ(fault(R"({"inputs":[{"name":"x"}]})"), "inputs[0]: 'datatype' is missing");
  EXPECT_EQ(
      fault(R"({"inputs":[{"name":"x","datatype":"FP32"}]})"), "inputs[0]: 'shape' is missing"
  );
  EXPECT_EQ(
      fault(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})"),
      "inputs[0]: 'data' is missing"
  );
  EXPECT_EQ(fault(R"({"inputs":[{"name":1}]})"), "inputs[0]: 'name' must be a string");
  EXPECT_EQ(fault(R"({"inputs":[{"datatype":"FP31"}]})"), "inputs[0]: 'FP31' is not a datatype");
  EXPECT_EQ(fault(R"({"inputs":[],"inputs":[]})"), "'inputs' is given twice");
  EXPECT_EQ(fault(R"({"inputs":[],"id":5})"), "'id' must be a string");
  EXPECT_EQ(fault(R"({"inputs":[],"outputs":[{}]})"), "outputs[0]: 'name' is missing");
  EXPECT_EQ(fault(R"({"inputs":[],"parameters":[]})"), "'parameters' must be an object");
  EXPECT_EQ(
      fault(R"({"inputs":[],"parameters":{"p":[1]}})"),
      "parameter 'p' must be a boolean, a number or a string"
  );
  EXPECT_EQ(
      fault(R"({"inputs":[],"parameters":{"timeout":-1}})"),
      "'timeout' must be a whole number that is not negative"
  );
}

TEST(InferJson, ignores_what_it_does_not_know) {
  EXPECT_EQ(
      fault(R"({"later":{"a":[1,{"b":null}]},"inputs":[],"outputs":[{"name":"y","more":1}]})"), ""
  );
}

TEST(InferJson, says_what_is_not_supported) {
  EXPECT_EQ(
      fault(R"({"inputs":[],"parameters":{"sequence_id":5}})"),
      "parameter 'sequence_id': sequences are not supported by this server"
  );
  EXPECT_EQ(
      fault(R"({"inputs":[{"name":"x","parameters":{"shared_memory_region":"r"}}]})"),
      "inputs[0]: parameter 'shared_memory_region': shared memory is not supported by this server"
  );
}

TEST(InferJson, a_big_document_is_read_like_a_small_one) {
  std::string data = "[0";
  for (int i = 1; i < 200'000; ++i) data += "," + std::to_string(i);
  const auto values = elements<std::int32_t>(read(input("INT32", "[200000]", data + "]")));
  ASSERT_EQ(values.size(), 200'000U);
  EXPECT_EQ(values.back(), 199'999);
}

constexpr std::string_view kBinaryHead =
    R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]})";

std::string float_bytes(std::initializer_list<float> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(float)};
}

TEST(InferBinary, tensors_point_into_the_body) {
  const std::string text = std::string(kBinaryHead) + float_bytes({1, 2});
  const auto body = body_of(text, kBinaryHead.size());
  const auto call = read_infer(body, kBinaryHead.size());
  EXPECT_EQ(elements<float>(call), (std::vector<float>{1, 2}));
  EXPECT_EQ(call->input.inputs[0].bytes.data(), body->data() + kBinaryHead.size());
}

TEST(InferBinary, an_unaligned_tensor_is_copied_once) {
  constexpr std::string_view kHead =
      R"({"inputs":[{"name":"a","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":1}},)"
      R"({"name":"b","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})";
  const auto call = read_binary(kHead, "\x05" + float_bytes({7}));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->input.inputs.at(0).as<std::int8_t>()[0], 5);
  EXPECT_EQ(call->input.inputs.at(1).as<float>()[0], 7);
}

TEST(InferBinary, half_floats_and_strings_come_as_bytes) {
  constexpr std::string_view kHead =
      R"({"inputs":[{"name":"h","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},)"
      R"({"name":"s","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":9}}]})";
  const auto call = read_binary(kHead, {"\0\x3c\0\0\1\0\0\0a\0\0\0\0", 13});
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(string_elements(call->input.inputs.at(1)), (std::vector<std::string_view>{"a", ""}));
}

TEST(InferBinary, json_and_binary_inputs_may_be_mixed) {
  constexpr std::string_view kHead =
      R"({"inputs":[{"name":"j","shape":[1],"datatype":"INT8","data":[3]},)"
      R"({"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})";
  const auto call = read_binary(kHead, float_bytes({4}));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->input.inputs.at(1).as<float>()[0], 4);
}

TEST(InferBinary, refuses_sizes_that_do_not_agree) {
  EXPECT_NE(read_binary(kBinaryHead, float_bytes({1})).status().text(), "");
  EXPECT_EQ(
      read_binary(kBinaryHead, float_bytes({1, 2, 3})).status().text(),
      "unexpected additional input data: 4 bytes behind the last input"
  );
  EXPECT_NE(read(kBinaryHead).status().text(), "");
  EXPECT_NE(
      read_binary(
          R"({"inputs":[{"name":"x","shape":[3],"datatype":"FP32","parameters":{"binary_data_size":8}}]})",
          float_bytes({1, 2})
      )
          .status()
          .text(),
      ""
  );
  EXPECT_NE(read_infer(body_of("{}"), 3).status().text(), "");
}

TEST(InferBinary, refuses_data_in_both_forms) {
  EXPECT_EQ(
      read_binary(
          R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}}]})",
          float_bytes({1})
      )
          .status()
          .text(),
      "inputs[0]: both 'data' and 'binary_data_size' are given"
  );
}

registry::ServingVersion one_input(DataType type, Shape shape, std::size_t max_batch_size = 0) {
  registry::ServingVersion version;
  version.identity = {"raw", "1"};
  version.signature.inputs = {{"x", type, std::move(shape), false}};
  version.config.max_batch_size = max_batch_size;
  return version;
}

TEST(InferRaw, the_varying_dimension_follows_from_the_size) {
  const auto call =
      read_raw_infer(body_of(float_bytes({1, 2, 3, 4})), one_input(DataType::kFp32, {2, -1}));
  EXPECT_EQ(elements<float>(call), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(call->input.inputs.at(0).shape, (Shape{2, 2}));
  EXPECT_TRUE(call->plan.binary_default);
}

TEST(InferRaw, the_batch_is_one) {
  const auto call =
      read_raw_infer(body_of(float_bytes({1, 2})), one_input(DataType::kFp32, {-1, -1}, 8));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->input.inputs.at(0).shape, (Shape{1, 2}));
}

TEST(InferRaw, a_string_is_the_whole_body) {
  const auto call = read_raw_infer(body_of("hello"), one_input(DataType::kBytes, {-1, 1}, 8));
  ASSERT_TRUE(call.ok()) << call.status().text();
  EXPECT_EQ(call->input.inputs.at(0).shape, (Shape{1, 1}));
  EXPECT_EQ(string_elements(call->input.inputs.at(0)), (std::vector<std::string_view>{"hello"}));
}

TEST(InferRaw, refuses_what_the_size_cannot_settle) {
  const auto two = body_of(float_bytes({1, 2}));
  EXPECT_FALSE(read_raw_infer(two, one_input(DataType::kFp32, {-1, -1})).ok());
  EXPECT_FALSE(read_raw_infer(two, one_input(DataType::kFp32, {3})).ok());
  EXPECT_FALSE(read_raw_infer(two, one_input(DataType::kFp32, {3, -1})).ok());
  EXPECT_FALSE(read_raw_infer(two, one_input(DataType::kFp32, {0, -1})).ok());
  EXPECT_FALSE(read_raw_infer(two, one_input(DataType::kBytes, {2})).ok());
  auto version = one_input(DataType::kFp32, {2});
  version.signature.inputs.push_back(version.signature.inputs.front());
  EXPECT_FALSE(read_raw_infer(two, version).ok());
}

}  // namespace
}  // namespace cortex::frontend::oip
