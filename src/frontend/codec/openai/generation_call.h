// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/codec/generation_bounds.h"
#include "request/generation.h"

namespace cortex::frontend::openai {

// Bounds of one request, beside those of generation_bounds.h.
inline constexpr std::size_t kContentPartsMax = 1024;  // of one message
inline constexpr std::size_t kToolCallsMax = 128;      // of one message
inline constexpr std::size_t kPromptsMax = 64;
inline constexpr std::size_t kChoicesMax = 128;  // prompts times `n`
inline constexpr std::size_t kBiasesMax = 1024;
inline constexpr std::size_t kGuidedChoicesMax = 1024;

// What the body of a chat or of a completion asks for.
struct GenerationCall {
  std::string model;
  // One for each prompt of a completion; exactly one of a chat.
  std::vector<GenerationInput> inputs;
  std::int32_t niceness = 0;  // `priority`
  bool stream = false;
  bool include_usage = false;     // the last event of a stream counts the tokens
  bool continuous_usage = false;  // every event does, where the last one does
};

// Read bodies that are followed by Buffer::kPadding readable bytes. kInvalidArgument names the
// field at fault; docs/openai.md has the table of fields.
[[nodiscard]] Result<GenerationCall> read_chat(std::string_view padded_body);
[[nodiscard]] Result<GenerationCall> read_completion(std::string_view padded_body);

}  // namespace cortex::frontend::openai
