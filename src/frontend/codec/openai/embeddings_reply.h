// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "frontend/http/exchange.h"
#include "request/response_stream.h"

namespace cortex::frontend::openai {

// What the answer must look like.
struct EmbeddingsPlan {
  std::string model;  // as the client named it
  std::size_t inputs = 0;
  bool base64 = false;
  std::optional<std::uint64_t> dimensions;
};

// Writes the list of embeddings. kInvalidArgument when other dimensions were asked for than the
// model has.
[[nodiscard]] Result<HttpReply> write_embeddings_reply(
    const EmbeddingsPlan& plan, const EmbeddingOutput& output, std::uint64_t tokens
);

}  // namespace cortex::frontend::openai
