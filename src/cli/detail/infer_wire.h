// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/command_line.h"
#include "net/http_client.h"

namespace cortex::cli::detail {

// An inference request of the Open Inference Protocol with all tensors in binary form, in both
// directions.
struct InferBody {
  std::string body;
  std::size_t json_bytes = 0;

  // The call for `target`; both must outlive it.
  [[nodiscard]] net::HttpCall call(std::string_view target) const;
};
[[nodiscard]] InferBody infer_body(const std::vector<TensorValue>& inputs);

// The outputs of an answer, binary and JSON ones. Their sizes are checked against what came.
[[nodiscard]] Result<std::vector<TensorValue>> infer_outputs(const net::HttpAnswer& answer);

// A model's inputs as its metadata tells them; unknown dimensions are -1, the bytes are empty.
[[nodiscard]] Result<std::vector<TensorValue>> model_inputs(
    net::HttpClient& client, const std::string& model
);

// "/v2/models/NAME/infer".
[[nodiscard]] std::string infer_target(const std::string& model);

}  // namespace cortex::cli::detail
