// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/tensor_backend.h"
#include "base/thread.h"
#include "request/buffer.h"

// What every tensor engine keeps, as one suite. An engine's test includes this header once and
// instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Onnx, BackendContract, ::testing::Values(EngineUnderTest{…}));
namespace cortex::backend::testing {

struct EngineUnderTest {
  std::function<std::unique_ptr<TensorEngine>()> make_engine;
  // How to load a model INPUT0 -> OUTPUT0 that returns what it is given.
  std::function<TensorBackendOptions(DataType, const Shape&)> identity;
};

class BackendContract : public ::testing::TestWithParam<EngineUnderTest> {
 protected:
  void SetUp() override { engine_ = GetParam().make_engine(); }

  std::unique_ptr<TensorBackend> load(DataType type, const Shape& shape) {
    auto backend = engine_->load(GetParam().identity(type, shape));
    EXPECT_TRUE(backend.ok()) << backend.status().to_string();
    return backend.ok() ? std::move(*backend) : nullptr;
  }

  std::unique_ptr<TensorEngine> engine_;
};

inline Tensor strings(const Shape& shape, const std::vector<std::string>& values) {
  return tensor_of("INPUT0", shape, std::span<const std::string>(values));
}

// A valid tensor of any type, `skew` bytes behind an aligned place.
inline Tensor sample(DataType type, const Shape& shape, std::size_t skew = 0) {
  const std::size_t count = element_count(shape).value_or(0);
  if (type == DataType::kBytes) {
    std::vector<std::string> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = std::string(i % 5, 'x') + '\0' + "é";
    return strings(shape, values);
  }
  const std::size_t size = count * element_size(type);
  auto buffer = Buffer::make(size + skew);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t value = type == DataType::kBool ? i % 2 : i % 61;
    buffer->data()[skew + i] = static_cast<std::byte>(value);
  }
  const auto bytes = std::as_const(*buffer).bytes().subspan(skew);
  return Tensor{"INPUT0", type, shape, bytes, std::move(buffer), {}};
}

inline bool same_elements(const Tensor& a, const Tensor& b) {
  return a.datatype == b.datatype && a.shape == b.shape &&
         std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

inline void expect_identity(TensorBackend& backend, const Tensor& input) {
  std::vector<Tensor> outputs;
  const Status status = backend.run({{input}, {}}, outputs);
  ASSERT_TRUE(status.ok()) << status.to_string();
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].name, "OUTPUT0");
  EXPECT_TRUE(validate(outputs[0]).ok()) << validate(outputs[0]).text();
  EXPECT_TRUE(same_elements(input, outputs[0]))
      << datatype_name(input.datatype) << shape_text(input.shape) << " became "
      << datatype_name(outputs[0].datatype) << shape_text(outputs[0].shape);
}

TEST_P(BackendContract, returns_every_datatype_as_it_came) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    SCOPED_TRACE(datatype_name(type));
    const auto backend = load(type, {-1, 3});
    ASSERT_TRUE(backend);
    ASSERT_EQ(backend->signature().inputs.size(), 1u);
    EXPECT_EQ(backend->signature().inputs[0].datatype, type);
    EXPECT_EQ(backend->signature().inputs[0].shape, (Shape{-1, 3}));
    EXPECT_EQ(backend->signature().outputs[0].name, "OUTPUT0");
    expect_identity(*backend, sample(type, {2, 3}));
    expect_identity(*backend, sample(type, {0, 3}));
  }
}

TEST_P(BackendContract, takes_inputs_that_are_not_aligned) {
  for (const DataType type : {DataType::kFp64, DataType::kInt64, DataType::kFp16}) {
    const auto backend = load(type, {-1});
    ASSERT_TRUE(backend);
    for (const std::size_t skew : {1u, 2u, 3u, 7u})
      expect_identity(*backend, sample(type, {5}, skew));
  }
}

TEST_P(BackendContract, takes_shapes_that_differ_from_run_to_run) {
  const auto backend = load(DataType::kFp32, {-1, -1});
  ASSERT_TRUE(backend);
  for (const Shape& shape : {Shape{1, 1}, Shape{7, 33}, Shape{1, 0}, Shape{64, 2}, Shape{3, 5}}) {
    expect_identity(*backend, sample(DataType::kFp32, shape));
  }
}

TEST_P(BackendContract, takes_scalars) {
  const auto backend = load(DataType::kInt64, {});
  ASSERT_TRUE(backend);
  expect_identity(*backend, sample(DataType::kInt64, {}));
}

TEST_P(BackendContract, keeps_strings_of_any_bytes) {
  const auto backend = load(DataType::kBytes, {-1});
  ASSERT_TRUE(backend);
  expect_identity(
      *backend, strings({4}, {"", std::string("a\0b", 3), std::string(100'000, 'q'), "\xFF\xFE"})
  );
}

TEST_P(BackendContract, answers_an_output_asked_by_name_and_refuses_an_unknown_one) {
  const auto backend = load(DataType::kFp32, {-1});
  ASSERT_TRUE(backend);
  std::vector<Tensor> outputs;
  EXPECT_TRUE(backend->run({{sample(DataType::kFp32, {2})}, {"OUTPUT0"}}, outputs).ok());
  EXPECT_EQ(outputs.size(), 1u);
  const Status status = backend->run({{sample(DataType::kFp32, {2})}, {"OUTPUT9"}}, outputs);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.text().find("OUTPUT9"), std::string::npos);
}

TEST_P(BackendContract, refuses_an_unknown_a_missing_and_a_wrong_input) {
  const auto backend = load(DataType::kFp32, {-1});
  ASSERT_TRUE(backend);
  std::vector<Tensor> outputs;
  Tensor renamed = sample(DataType::kFp32, {2});
  renamed.name = "INPUT9";
  EXPECT_EQ(backend->run({{renamed}, {}}, outputs).code(), Code::kInvalidArgument);
  EXPECT_EQ(backend->run({{}, {}}, outputs).code(), Code::kInvalidArgument);
  const Tensor integers = sample(DataType::kInt64, {2});
  EXPECT_EQ(backend->run({{integers}, {}}, outputs).code(), Code::kInvalidArgument);
}

TEST_P(BackendContract, does_not_run_what_was_cancelled) {
  const auto backend = load(DataType::kFp32, {-1});
  ASSERT_TRUE(backend);
  const std::atomic<bool> cancel{true};
  std::vector<Tensor> outputs;
  const Status status = backend->run({{sample(DataType::kFp32, {2})}, {}, &cancel}, outputs);
  EXPECT_EQ(status.code(), Code::kCancelled);
}

TEST_P(BackendContract, outputs_outlive_input_backend_and_engine) {
  std::vector<Tensor> outputs;
  {
    auto backend = load(DataType::kFp32, {-1});
    ASSERT_TRUE(backend);
    const Tensor input = sample(DataType::kFp32, {1000});
    ASSERT_TRUE(backend->run({{input}, {}}, outputs).ok());
    backend.reset();
    engine_.reset();
  }
  EXPECT_TRUE(same_elements(sample(DataType::kFp32, {1000}), outputs[0]));
}

TEST_P(BackendContract, outputs_are_not_touched_by_the_next_run) {
  const auto backend = load(DataType::kInt64, {-1});
  ASSERT_TRUE(backend);
  std::vector<Tensor> first;
  ASSERT_TRUE(backend->run({{sample(DataType::kInt64, {64})}, {}}, first).ok());
  std::vector<Tensor> second;
  const std::array<std::int64_t, 64> sevens = {7, 7, 7};
  const Tensor other = tensor_of("INPUT0", {64}, std::span<const std::int64_t>(sevens));
  ASSERT_TRUE(backend->run({{other}, {}}, second).ok());
  EXPECT_TRUE(same_elements(sample(DataType::kInt64, {64}), first[0]));
  EXPECT_TRUE(same_elements(other, second[0]));
}

TEST_P(BackendContract, runs_on_several_threads_at_once) {
  const auto backend = load(DataType::kFp32, {-1, -1});
  ASSERT_TRUE(backend);
  std::atomic<int> wrong{0};
  {
    std::vector<Thread> lanes;
    for (std::int64_t lane = 0; lane < 4; ++lane) {
      lanes.emplace_back("lane", [&, lane] {
        for (std::int64_t i = 1; i <= 50; ++i) {
          const Tensor input = sample(DataType::kFp32, {lane + 1, i});
          std::vector<Tensor> outputs;
          const Status status = backend->run({{input}, {}}, outputs);
          if (!status.ok() || !same_elements(input, outputs.at(0))) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace cortex::backend::testing
