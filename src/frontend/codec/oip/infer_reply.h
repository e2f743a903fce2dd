// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "frontend/http/exchange.h"
#include "request/response_stream.h"

namespace cortex::frontend::oip {

// How one output was asked for.
struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;  // else the request's binary_data_output
  std::uint64_t classes = 0;   // classification: the best N; 0: the tensor itself
};

// What the answer must look like.
struct ReplyPlan {
  std::string id;  // echoed; empty: none
  bool binary_default = false;
  bool batched = false;  // the model has a batch dimension; matters to classification alone
  std::vector<RequestedOutput> outputs;  // empty: all, as they come
};

// Writes the answer. Binary tensors are sent from where they lie; they keep `lease` alive until
// they are sent. kInvalidArgument where a tensor has no JSON form and binary was not asked for.
[[nodiscard]] Result<HttpReply> write_infer_reply(
    const ReplyPlan& plan,
    const ModelIdentity& served_by,
    InferOutput output,
    std::shared_ptr<const void> lease
);

}  // namespace cortex::frontend::oip
