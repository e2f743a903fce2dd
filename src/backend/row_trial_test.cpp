// SPDX-License-Identifier: Apache-2.0
#include "backend/row_trial.h"

#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

// X -> Y by a function that the test writes.
class WrittenBackend final : public TensorBackend {
 public:
  using Run = std::function<Result<Tensor>(const Tensor& x)>;

  WrittenBackend(DataType type, Shape shape, Run run) : run_(std::move(run)) {
    signature_.inputs = {{"X", type, shape}};
    signature_.outputs = {{"Y", type, std::move(shape)}};
  }

  [[nodiscard]] const ModelSignature& signature() const override { return signature_; }
  [[nodiscard]] Status run(const TensorRun& run, std::vector<Tensor>& outputs) override {
    CORTEX_ASSIGN_OR_RETURN(Tensor y, run_(run.inputs.at(0)));
    outputs = {std::move(y)};
    return {};
  }

 private:
  ModelSignature signature_;
  Run run_;
};

bool alone(DataType type, const Shape& shape, WrittenBackend::Run run) {
  WrittenBackend backend(type, shape, std::move(run));
  return rows_stand_alone(backend);
}

// y[row][column] of a model of floats [-1,4].
bool alone_by(const std::function<float(std::span<const float> x, std::size_t i)>& value) {
  return alone(DataType::kFp32, {-1, 4}, [&](const Tensor& x) -> Result<Tensor> {
    const auto values = x.as<float>();
    std::vector<float> out(values.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = value(values, i);
    return tensor_of("Y", x.shape, std::span<const float>(out));
  });
}

// The rows in reverse order.
Result<Tensor> reversed(const Tensor& x) {
  const auto rows = static_cast<std::size_t>(x.shape.front());
  if (x.datatype == DataType::kBytes) {
    const auto elements = string_elements(x);
    const std::size_t width = elements.size() / rows;
    std::vector<std::string> out;
    for (std::size_t row = rows; row-- > 0;) {
      for (std::size_t i = 0; i < width; ++i) out.emplace_back(elements[row * width + i]);
    }
    return tensor_of("Y", x.shape, out);
  }
  std::span<std::byte> bytes;
  CORTEX_ASSIGN_OR_RETURN(Tensor y, make_tensor("Y", x.datatype, x.shape, bytes));
  const std::size_t width = bytes.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    std::memcpy(&bytes[row * width], &x.bytes[(rows - 1 - row) * width], width);
  }
  return y;
}

TEST(RowTrial, rows_of_every_type_stand_alone_and_are_told_apart) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    for (const Shape& shape : {Shape{-1, 4}, Shape{-1, 1}, Shape{-1, -1, 2}}) {
      EXPECT_TRUE(alone(type, shape, [](const Tensor& x) { return x; })) << datatype_name(type);
      EXPECT_FALSE(alone(type, shape, reversed)) << datatype_name(type) << shape_text(shape);
    }
  }
}

TEST(RowTrial, sees_what_rows_do_to_each_other) {
  EXPECT_TRUE(alone_by([](auto x, std::size_t i) { return 3 * x[i] + 1; }));
  EXPECT_FALSE(alone_by([](auto x, std::size_t i) {  // centred over the rows
    float sum = 0;
    for (std::size_t j = i % 4; j < x.size(); j += 4) sum += x[j];
    return x[i] - sum / (static_cast<float>(x.size()) / 4);
  }));
  EXPECT_FALSE(alone_by([](auto x, std::size_t i) {  // summed up from row to row
    float sum = 0;
    for (std::size_t j = i % 4; j <= i; j += 4) sum += x[j];
    return sum;
  }));
  EXPECT_FALSE(alone_by([](auto x, std::size_t i) {  // divided by the largest of all
    return x[i] / *std::max_element(x.begin(), x.end());
  }));
}

TEST(RowTrial, rounding_and_what_is_no_number_are_no_difference) {
  EXPECT_TRUE(alone_by([](auto x, std::size_t i) {
    return x[i] * (1 + 1e-6F * static_cast<float>(x.size()));
  }));
  EXPECT_FALSE(alone_by([](auto x, std::size_t i) {
    return x[i] * (1 + 1e-3F * static_cast<float>(x.size()));
  }));
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(alone_by([value](auto x, std::size_t i) { return i % 4 == 0 ? value : x[i]; }));
    EXPECT_FALSE(alone_by([value](auto x, std::size_t i) { return x.size() > 8 ? value : x[i]; }));
  }
}

TEST(RowTrial, the_first_dimension_must_be_the_rows_of_all_outputs) {
  const auto joined = [](const Tensor& x) -> Result<Tensor> {
    const auto values = x.as<float>();
    std::vector<float> twice(values.begin(), values.end());
    twice.insert(twice.end(), values.begin(), values.end());
    return tensor_of("Y", {2 * x.shape[0], x.shape[1]}, std::span<const float>(twice));
  };
  EXPECT_FALSE(alone(DataType::kFp32, {-1, 4}, joined));
  const auto counted = [](const Tensor& x) -> Result<Tensor> {
    return tensor_of("Y", x.shape, std::vector<float>(x.bytes.size() / 4, float(x.shape[0])));
  };
  EXPECT_FALSE(alone(DataType::kFp32, {-1, 4}, counted));
}

TEST(RowTrial, tries_sizes_until_the_model_takes_one) {
  const auto takes = [](std::int64_t size) {
    return alone(DataType::kFp32, {-1, -1}, [size](const Tensor& x) -> Result<Tensor> {
      if (x.shape[1] != size) return invalid_argument("another size");
      return x;
    });
  };
  for (const std::int64_t usual : {1, 2, 8, 32, 224}) EXPECT_TRUE(takes(usual)) << usual;
  EXPECT_FALSE(takes(7)) << "nobody knows";
}

TEST(RowTrial, a_model_that_refuses_more_rows_has_none) {
  EXPECT_FALSE(alone(DataType::kFp32, {-1, 4}, [](const Tensor& x) -> Result<Tensor> {
    if (x.shape[0] > 1) return invalid_argument("one row");
    return x;
  }));
  EXPECT_FALSE(alone(DataType::kFp32, {-1, -1, -1, -1, -1, -1}, [](const Tensor& x) {
    return x.shape[1] < 32 ? Result<Tensor>(invalid_argument("larger")) : Result<Tensor>(x);
  })) << "what is too large for a trial is not tried";
}

}  // namespace
}  // namespace cortex::backend
