// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "request/model_config.h"
#include "request/signature.h"
#include "text/tokenizer.h"

namespace cortex::backend {

// What a text model wants of a token.
enum class TokenInput : std::uint8_t { kIds, kMask, kTypes, kPositions };

// How tokens become a model's tensors and its tensor a vector.
struct EmbeddingPlan {
  struct Input {
    std::string name;
    TokenInput kind = TokenInput::kIds;
    DataType datatype = DataType::kInt64;  // or kInt32
  };
  std::vector<Input> inputs;
  std::string output;
  bool pooled = false;               // the output is [batch, width] already
  Pooling pooling = Pooling::kMean;  // kRank: of a pair's [batch, 1], and nothing is embedded
  bool normalize = true;
  std::size_t context_length = 0;
  std::size_t fixed_length = 0;  // every row is padded to it; 0: a row is as long as its text
};

// kFailedPrecondition names what is missing: an input that text cannot fill, an output to pool.
// Pure.
[[nodiscard]] Result<EmbeddingPlan> embedding_plan(
    const ModelConfig& config, const ModelSignature& signature
);

// One text as the model's inputs, [1, length]. REQUIRES: no more tokens than the fixed length.
[[nodiscard]] std::vector<Tensor> token_tensors(
    const EmbeddingPlan& plan, const text::Encoding& encoding
);

}  // namespace cortex::backend
