// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "request/sampling.h"

namespace cortex::backend {

// What a sequence has said, and what that takes from the tokens it may say next: repeat, frequency
// and presence penalties and DRY ("don't repeat yourself": a token that would lengthen a repetition
// loses more the longer it is already). As libllama's samplers of these names, but a draw costs the
// tokens that were said instead of a search for every token of the vocabulary; frequency and
// presence count the whole text, and repeat the last `penalty_last`.
//
// Not thread-safe.
class Repetition {
 public:
  using Piece = std::function<std::string(Token)>;

  // `breakers`: a bit for each token at which DRY takes a repetition to be a new one, of a request
  // that names none itself; null where DRY is off. `piece`: the text of a token, where the request
  // does. `window_max`: what -1 means for lengths to look back.
  Repetition(
      const SamplingSettings& settings,
      std::size_t window_max,
      std::shared_ptr<const std::vector<bool>> breakers,
      Piece piece = nullptr
  );

  // False when no setting looks back: nothing is remembered then.
  [[nodiscard]] bool active() const { return penalties_ || dry_; }
  void accept(Token token);
  // `logit_of` gives the place of a token's logit, or null where it is no candidate.
  void apply(const std::function<float*(Token)>& logit_of);

 private:
  struct Count {
    std::size_t all = 0;
    std::size_t recent = 0;  // within penalty_last
  };

  void apply_penalties(const std::function<float*(Token)>& logit_of) const;
  void apply_dry(const std::function<float*(Token)>& logit_of);
  [[nodiscard]] Token said(std::size_t back) const { return text_[text_.size() - 1 - back]; }
  [[nodiscard]] std::size_t unbroken(std::size_t window) const;
  [[nodiscard]] bool is_breaker(Token token) const;
  [[nodiscard]] bool ends_breaker(Token token);
  void count_repeats(std::size_t window);

  const SamplingSettings settings_;
  const std::size_t window_;      // of repeat_penalty
  const std::size_t dry_window_;  // of DRY
  const bool penalties_;
  const bool dry_;
  const std::shared_ptr<const std::vector<bool>> breakers_;
  const Piece piece_;
  std::vector<Token> text_;
  std::vector<bool> broken_;  // of the text, with `piece`: a breaker ends in this token
  std::string tail_;          // of the text: where the next breaker may have begun
  std::unordered_map<Token, Count> counts_;
  std::vector<std::size_t> repeats_;  // scratch: how far the text before this place equals its end
};

}  // namespace cortex::backend
