// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "request/generation.h"

namespace cortex::frontend::tokens {

// Whose words a question was asked in: its answer has the same.
enum class Words : std::uint8_t { kVllm, kLlamaServer };

// What the body of POST /tokenize asks for.
struct TokenizeCall {
  std::string model;  // empty: the only one
  TokenizeInput input;
  Words words = Words::kVllm;
};

// What the body of POST /detokenize asks for.
struct DetokenizeCall {
  std::string model;  // empty: the only one
  DetokenizeInput input;
};

// Read bodies that are followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault; docs/openai.md has the table of fields.
[[nodiscard]] Result<TokenizeCall> read_tokenize(std::string_view padded_body);
[[nodiscard]] Result<DetokenizeCall> read_detokenize(std::string_view padded_body);

}  // namespace cortex::frontend::tokens
