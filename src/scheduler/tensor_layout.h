// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "request/model_config.h"
#include "request/request.h"
#include "request/signature.h"

namespace cortex::scheduler {

// As what a request waits.
struct RequestFit {
  std::uint64_t key =
      0;  // equal keys: same inputs, datatypes, shapes (but for rows and length) and same outputs
  std::uint32_t rows = 1;    // 1 for a model without batch dimension
  std::uint32_t length = 0;  // of the inputs that may be padded; 0: none may
  bool alone = false;        // may share a batch with nobody
};

// What a lane knows of its model's tensors: whether requests may share a batch, whether rows may be
// padded, and whether a request fits. Worked out once. Immutable, thread-safe.
//
// Requests share batches when the configuration says so, every input and output has a batch
// dimension that varies, and neighbours leave an answer as it is: a model with
// batch_changes_answers runs every request alone, unless its configuration allows the variance.
//
// Rows are padded when the configuration says so and the model takes a mask (an integer input with
// "mask" in its name), for without one it would read the padding. Padded are the length inputs:
// integer tensors of rank 2 whose second dimension varies. Outputs whose second dimension varies
// too, and comes back as the padded length, are cut back.
class TensorLayout {
 public:
  TensorLayout(const ModelSignature& signature, const ModelConfig& config);

  [[nodiscard]] bool batches() const { return batches_; }
  [[nodiscard]] bool pads() const { return pads_; }
  // The bound of a batch in rows; 1 when every request runs alone.
  [[nodiscard]] std::size_t rows_max() const { return batches_ ? max_batch_size_ : 1; }

  // REQUIRES: the request was found valid for this model (request/validate_infer.h). What would
  // break the lane itself, an unknown tensor, another rank, rows that disagree or are too many, is
  // kInvalidArgument all the same.
  [[nodiscard]] Result<RequestFit> fit(const InferInput& input) const;

  // True for an input that is padded along its second dimension.
  [[nodiscard]] bool is_length_input(std::string_view name) const;
  // What fills the added positions of that input.
  [[nodiscard]] std::int64_t fill_of(std::string_view name) const;
  // True for an output that may have been lengthened by padding.
  [[nodiscard]] bool is_length_output(std::string_view name) const;
  [[nodiscard]] std::size_t output_count(const InferInput& input) const {
    return input.outputs.empty() ? signature_.outputs.size() : input.outputs.size();
  }

 private:
  class Fitting;
  [[nodiscard]] Status fit_input(const Tensor& tensor, Fitting& fitting) const;
  [[nodiscard]] Status does_not_fit(std::string_view what, std::string_view name) const;

  const std::string model_;
  const ModelSignature signature_;
  const std::size_t max_batch_size_;
  const std::int64_t pad_token_;
  const bool batches_;
  const bool pads_;
};

}  // namespace cortex::scheduler
