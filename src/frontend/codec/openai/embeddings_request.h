// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "request/request.h"

namespace cortex::frontend::openai {

// What the body of POST /v1/embeddings says.
struct EmbeddingsCall {
  std::string model;
  EmbeddingInput input;
  bool base64 = false;
  std::optional<std::uint64_t> dimensions;  // must be the model's own
};

// As OpenAI: at most so many inputs in one request.
inline constexpr std::size_t kEmbeddingInputsMax = 2048;

// Reads a body that is followed by Buffer::kPadding readable bytes. `input` is a text, a list of
// texts, a list of token ids, or a list of such lists; empty ones are refused. Unknown fields are
// ignored.
[[nodiscard]] Result<EmbeddingsCall> read_embeddings(std::string_view padded_body);

}  // namespace cortex::frontend::openai
