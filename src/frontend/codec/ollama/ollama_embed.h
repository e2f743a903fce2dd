// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/codec/ollama/ollama_reply.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::frontend::ollama {

inline constexpr std::size_t kEmbedInputsMax = 2048;

// What the body of POST /api/embed asks for.
struct EmbedCall {
  std::string model;  // as the client named it
  EmbeddingInput input;
};

// Reads a body that is followed by Buffer::kPadding readable bytes: `input` is a text or a list of
// texts. kInvalidArgument names the field at fault; fields that are not known are read over.
[[nodiscard]] Result<EmbedCall> read_embed(std::string_view padded_body);

// {"model":…,"embeddings":[[…]],…}. kInternal when there are not `inputs` vectors.
[[nodiscard]] Result<HttpReply> write_embed_reply(
    const OllamaPlan& plan, std::size_t inputs, const EmbeddingOutput& output, std::uint64_t tokens
);

}  // namespace cortex::frontend::ollama
