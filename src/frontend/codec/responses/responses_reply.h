// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "frontend/codec/responses/responses_request.h"
#include "frontend/codec/streamed_call.h"

namespace cortex::frontend::responses {

// What stays the same over an answer.
struct ResponsePlan {
  std::string id;            // "resp_…"
  std::string stem;          // what ids of items are made of
  std::int64_t created = 0;  // seconds since the epoch
  std::string model;         // as the client named it
  std::string previous;
  Echo echo;
  bool parallel_tool_calls = true;
  // Keeps the whole answer and its `output`; false: it could not. Null: it shall not be kept.
  std::function<bool(std::string body, std::string output)> keep;
};

// The answers to a request, streamed and whole. They are kept at their end, before the client has
// the last of them; where that fails they say `"store":false`. A part of another kind is kInternal.
[[nodiscard]] std::unique_ptr<StreamWriter> response_stream(ResponsePlan plan);
[[nodiscard]] std::unique_ptr<PartCollector> response_collector(ResponsePlan plan);

}  // namespace cortex::frontend::responses
