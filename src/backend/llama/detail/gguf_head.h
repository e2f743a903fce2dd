// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "backend/llama/detail/adapter_head.h"
#include "backend/llama/detail/llama_library.h"
#include "base/status.h"

namespace cortex::backend {

// What the head of a file says of how it is served; no weights are read for it.
struct GgufHead {
  std::string architecture;
  std::optional<std::int64_t> pooling;  // LLAMA_POOLING_TYPE_…, unchecked; nothing: it does not say
  // Numbers that its classification head gives for a text; 0: it has none.
  std::int64_t scores = 0;

  // It pools, or its architecture does not go on with a text.
  [[nodiscard]] bool takes_texts_alone() const;
};

// kFailedPrecondition without the file, kInvalidArgument with what the library said of one that is
// no model. The texts name the file.
[[nodiscard]] Result<GgufHead> read_gguf_head(
    const LlamaFunctions& api, const std::filesystem::path& file
);

// The tensors of a model that the library has loaded from there, of all its parts where it is split
// (…-00001-of-00003.gguf).
[[nodiscard]] Result<TensorOutlines> read_gguf_tensors(
    const LlamaFunctions& api, const std::filesystem::path& file
);

}  // namespace cortex::backend
