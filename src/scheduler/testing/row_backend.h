// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "backend/tensor_backend.h"
#include "request/model_config.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::scheduler::testing {

// A text model in small: every answer depends on its own row and mask alone, on all of them, and
// not on the padding.
//   inputs   input_ids INT64[-1,-1], attention_mask INT64[-1,-1]
//   outputs  hidden FP32[-1,-1,2], pooled FP32[-1,1]
// A fault of choice can be put before or after each run. Thread-safe, as the contract asks.
class RowBackend final : public backend::TensorBackend {
 public:
  // Called with the run's number, from 0; may change the outputs when `after` the run.
  using Before = std::function<Status(const backend::TensorRun&, std::size_t)>;
  using After = std::function<void(std::vector<Tensor>&, std::size_t)>;

  explicit RowBackend(bool batch_changes_answers = false) {
    signature_.inputs = {
        {"input_ids", DataType::kInt64, {-1, -1}, false},
        {"attention_mask", DataType::kInt64, {-1, -1}, false}
    };
    signature_.outputs = {
        {"hidden", DataType::kFp32, {-1, -1, 2}, false}, {"pooled", DataType::kFp32, {-1, 1}, false}
    };
    signature_.batch_changes_answers = batch_changes_answers;
  }

  Before before;
  After after;

  [[nodiscard]] const ModelSignature& signature() const override { return signature_; }
  [[nodiscard]] std::size_t runs() const { return runs_; }
  [[nodiscard]] std::size_t rows_max() const { return rows_max_; }

  [[nodiscard]] Status run(const backend::TensorRun& run, std::vector<Tensor>& outputs) override {
    const std::size_t number = runs_++;
    if (before) CORTEX_RETURN_IF_ERROR(before(run, number));
    const auto rows = static_cast<std::size_t>(run.inputs[0].shape[0]);
    see_rows(rows);
    compute(run, rows, static_cast<std::size_t>(run.inputs[0].shape[1]), outputs);
    if (after) after(outputs, number);
    return {};
  }

 private:
  void see_rows(std::size_t rows) {
    std::size_t seen = rows_max_;
    while (rows > seen && !rows_max_.compare_exchange_weak(seen, rows)) {
    }
  }

  static void compute(
      const backend::TensorRun& run,
      std::size_t rows,
      std::size_t length,
      std::vector<Tensor>& outputs
  ) {
    const auto ids = run.inputs[0].as<std::int64_t>();
    const auto mask = run.inputs[1].as<std::int64_t>();
    std::vector<float> hidden(rows * length * 2);
    std::vector<float> pooled(rows);
    for (std::size_t i = 0; i < rows * length; ++i) {
      pooled[i / length] += static_cast<float>(mask[i] * (ids[i] * 7 + 1));
    }
    for (std::size_t i = 0; i < rows * length; ++i) {
      hidden[2 * i] = static_cast<float>(ids[i]);
      hidden[2 * i + 1] = pooled[i / length] + static_cast<float>(i % length);
    }
    const auto n = static_cast<std::int64_t>(rows);
    outputs.push_back(tensor_of("hidden", {n, static_cast<std::int64_t>(length), 2}, hidden));
    outputs.push_back(tensor_of("pooled", {n, 1}, pooled));
  }

  ModelSignature signature_;
  std::atomic<std::size_t> runs_{0};
  std::atomic<std::size_t> rows_max_{0};
};

// A request of `rows` rows of `length` tokens; ids follow from `seed`.
[[nodiscard]] inline std::shared_ptr<Request> row_request(
    std::size_t rows, std::size_t length, std::int64_t seed
) {
  std::vector<std::int64_t> ids(rows * length);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = (seed * 31 + static_cast<std::int64_t>(i) * 17) % 1000;
  const std::vector<std::int64_t> ones(ids.size(), 1);
  const Shape shape = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(length)};
  auto request = std::make_shared<Request>();
  InferInput input;
  input.inputs = {tensor_of("input_ids", shape, ids), tensor_of("attention_mask", shape, ones)};
  request->input = std::move(input);
  return request;
}

// A configuration for RowBackend that batches and pads.
[[nodiscard]] inline ModelConfig row_config(std::size_t max_batch_size) {
  ModelConfig config;
  config.name = "rows";
  config.max_batch_size = max_batch_size;
  config.batching.enabled = true;
  config.batching.pad_lengths = true;
  return config;
}

}  // namespace cortex::scheduler::testing
