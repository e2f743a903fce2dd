// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/codec/responses/response_item.h"
#include "request/generation.h"

namespace cortex::frontend::responses {

inline constexpr std::size_t kMetadataMax = 16;  // pairs
inline constexpr std::size_t kMetadataKeyBytesMax = 64;
inline constexpr std::size_t kMetadataValueBytesMax = 512;

// What an answer repeats of the request, as JSON where it says so.
struct Echo {
  std::string tools = "[]";                   // JSON
  std::string tool_choice = R"("auto")";      // JSON
  std::string format = R"({"type":"text"})";  // JSON
  std::string metadata = "{}";                // JSON
  std::string effort;                         // empty: null
  std::string instructions;                   // empty: null
  std::optional<std::uint64_t> tokens_max;
  std::optional<std::uint64_t> tool_calls_max;  // of tools that run in the server: there are none
  float temperature = 1;
  float top_p = 1;
};

// What the body of POST /v1/responses or of …/input_tokens asks for.
struct ResponsesCall {
  std::string model;
  std::vector<Item> input;
  std::string previous;  // `previous_response_id`; empty: none
  // All but the messages, which are those of `previous`, too.
  GenerationInput generation;
  Conversation conversation;
  Echo echo;
  std::int32_t niceness = 0;  // `priority`
  bool store = true;
  bool stream = false;
  bool counted = false;  // the tokens that the answer would begin with are asked for, and no more
};

// Reads a body that is followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault; docs/responses.md has the table of fields.
[[nodiscard]] Result<ResponsesCall> read_responses(std::string_view padded_body);
// The body of POST /v1/responses/input_tokens: the same fields; of the input, the instructions and
// the response before it one must be there.
[[nodiscard]] Result<ResponsesCall> read_counted_response(std::string_view padded_body);

}  // namespace cortex::frontend::responses
