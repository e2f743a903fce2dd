// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "backend/detail/lane_gate.h"
#include "base/thread_pool.h"
#include "request/response_stream.h"

namespace cortex::backend {

// Bounds of requests that ask for tokens or for their text; one above them is kInvalidArgument.
inline constexpr std::size_t kTokenizeBytesMax = 1024UL * 1024;
inline constexpr std::size_t kDetokenizeTokensMax = 1024UL * 1024;
inline constexpr std::size_t kDetokenizedBytesMax = 16UL * 1024 * 1024;
// As many tokens are made to text where they are submitted.
inline constexpr std::size_t kDetokenizeInlineMax = 4096;

[[nodiscard]] Status check_tokenize_bytes(std::size_t bytes);
[[nodiscard]] Status check_detokenize_tokens(std::size_t tokens);

// A request that a servable answers without its lane: by `work`, at once or on the pool.
struct BesideLane {
  std::shared_ptr<ResponseStream> stream;
  bool at_once = true;
  std::function<Result<ResponsePart>()> work;  // may use what the gate's owner keeps
};

// Ends the stream exactly once: with the work's answer or error, with kUnavailable once the gate
// closes, with kResourceExhausted when the pool is full. Thread-safe.
void answer_beside_lane(LaneGate& gate, ThreadPool& pool, BesideLane call);

}  // namespace cortex::backend
