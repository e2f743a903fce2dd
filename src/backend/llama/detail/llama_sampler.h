// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/repetition.h"
#include "backend/llama/detail/token_draw.h"
#include "backend/sequence_backend.h"

namespace cortex::backend {

// What all samplers of one model share.
struct SamplerContext {
  const LlamaFunctions& api;
  std::size_t vocabulary_size = 0;
  std::size_t context_length = 0;
  std::vector<std::pair<Token, float>> bias;  // the model's own
};

// Mask, bias and what looks back are ours, and so are the usual cuts and their draw; typical, xtc
// and mirostat are libllama's chain. Logits that nothing changes are read where they lie.
class LlamaSampler final : public TokenSampler {
 public:
  LlamaSampler(
      std::shared_ptr<const SamplerContext> context,
      const SamplingSettings& settings,
      std::uint64_t sequence_seed,
      std::shared_ptr<const std::vector<bool>> breakers,
      Repetition::Piece piece
  );
  ~LlamaSampler() override;

  [[nodiscard]] Result<SampledToken> sample(
      std::span<const float> logits, const SampleOptions& options
  ) override;
  void accept(Token token) override { repetition_.accept(token); }

 private:
  [[nodiscard]] bool greedy() const { return !draw_ && chain_ == nullptr; }
  void build_chain(const SamplingSettings& settings, std::uint32_t seed);
  [[nodiscard]] Result<Token> choose(std::span<const float> logits, const SampleOptions& options);
  // Places in `logits`.
  [[nodiscard]] Result<std::size_t> pick(std::span<const float> logits);
  [[nodiscard]] Result<std::size_t> pick_by_chain(std::span<const float> logits);

  const std::shared_ptr<const SamplerContext> context_;
  std::vector<std::pair<Token, float>> bias_;
  Repetition repetition_;
  std::optional<TokenDraw> draw_;
  llama_sampler* chain_ = nullptr;  // neither of them: the most likely
};

}  // namespace cortex::backend
