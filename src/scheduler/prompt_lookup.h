// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "request/sampling.h"

namespace cortex::scheduler {

// Foretells what a sequence says next from what its prompt and answer said before: where they last
// ended as they end now, and what followed there. An index over places by their last three tokens,
// and by their last two where three were never seen, of which the newest few of each are kept; it
// reads each token once. At most half a megabyte. Pure; not thread-safe.
class PromptLookup {
 public:
  static constexpr std::size_t kMatchedMax = 16;

  struct Match {
    std::size_t position = 0;  // of the token that followed
    std::size_t length = 0;    // tokens before it that are those at the end; 0: nothing is known
  };

  // Looks the end of `tokens` up. REQUIRES: they begin with those of the call before.
  [[nodiscard]] Match find(std::span<const Token> tokens);

  // What would follow `tokens`: what followed at the match, and so on, at most `count` tokens.
  [[nodiscard]] static std::vector<Token> follow(
      std::span<const Token> tokens, const Match& match, std::size_t count
  );

 private:
  static constexpr std::size_t kWays = 4;  // places kept for tokens that are alike
  static constexpr std::size_t kLongest = 3;
  static constexpr std::size_t kShortest = 2;
  using Places = std::array<std::uint32_t, kWays>;  // newest first; 0: none

  void take_in(std::span<const Token> tokens);
  void grow(std::size_t tokens);
  [[nodiscard]] Places& places_of(std::span<const Token> last);

  std::array<std::vector<Places>, kLongest - kShortest + 1> places_;
  std::size_t known_ = 0;  // places that are in the index
};

}  // namespace cortex::scheduler
