// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "backend/sequence_backend.h"

namespace cortex::backend {

// What synthetic_sequences.h says of its sampler.
class SyntheticSampler final : public TokenSampler {
 public:
  SyntheticSampler(SamplingSettings settings, std::uint64_t seed);

  [[nodiscard]] Result<SampledToken> sample(
      std::span<const float> logits, const SampleOptions& options
  ) override;
  void accept(Token token) override;

 private:
  struct Candidate {
    Token token = 0;
    double logit = 0;
  };

  [[nodiscard]] std::vector<Candidate> candidates(
      std::span<const float> logits, std::span<const std::uint32_t> allowed
  ) const;
  void penalise(std::vector<double>& logits) const;
  void cut(std::vector<Candidate>& candidates) const;
  [[nodiscard]] Token draw(const std::vector<Candidate>& candidates);

  const SamplingSettings settings_;
  std::uint64_t draws_;
  std::vector<Token> accepted_;
};

}  // namespace cortex::backend
