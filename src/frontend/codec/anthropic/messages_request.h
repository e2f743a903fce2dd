// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/codec/generation_bounds.h"
#include "request/generation.h"

namespace cortex::frontend::anthropic {

inline constexpr std::size_t kBlocksMax = 1024;  // of one message

// What the body of POST /v1/messages asks for.
struct MessagesCall {
  std::string model;
  GenerationInput input;
  bool stream = false;
};

// Reads a body that is followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault; docs/anthropic.md has the table of fields.
[[nodiscard]] Result<MessagesCall> read_messages(std::string_view padded_body);
// The body of POST /v1/messages/count_tokens: the same fields, and none but model and messages must
// be there.
[[nodiscard]] Result<MessagesCall> read_counted_messages(std::string_view padded_body);

}  // namespace cortex::frontend::anthropic
