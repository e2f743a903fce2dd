// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "frontend/codec/oip/infer_reply.h"
#include "registry/handle.h"
#include "request/buffer.h"
#include "request/parameters.h"
#include "request/request.h"

namespace cortex::frontend::oip {

// What the body of an infer request says.
struct InferCall {
  InferInput input;
  Parameters parameters;  // of the request, without those that are fields here
  std::uint64_t priority = 0;
  std::chrono::microseconds queue_timeout{0};
  ReplyPlan plan;
};

// Reads a JSON body, or JSON followed by binary tensors where `json_length`
// (Inference-Header-Content-Length) says how long the JSON is. Binary tensors point into `body`,
// but for those that lie unaligned for their type: they are copied once. Every tensor is valid in
// itself; whether it fits the model is validate_infer's business.
[[nodiscard]] Result<InferCall> read_infer(
    const std::shared_ptr<const Buffer>& body, std::optional<std::size_t> json_length
);

// Reads a body that is the bytes of the model's one input (Inference-Header-Content-Length: 0). The
// batch is 1; one dimension may vary and follows from the size. The answer is binary.
[[nodiscard]] Result<InferCall> read_raw_infer(
    const std::shared_ptr<const Buffer>& body, const registry::ServingVersion& version
);

}  // namespace cortex::frontend::oip
