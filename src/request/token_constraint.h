// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "request/sampling.h"

namespace cortex {

// What a sequence may say next: a grammar that has read the sequence so far. Not thread-safe: one
// sequence's, on one thread at a time.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  // Sets bit t of `mask` (bit t % 32 of word t / 32) for every token that may come next, and clears
  // all others; the end-of-generation tokens are among them where the text may end here.
  // REQUIRES: one bit for every token of the vocabulary.
  [[nodiscard]] virtual Status allow(std::span<std::uint32_t> mask) = 0;
  // Takes the token that was drawn. kInternal when the grammar does not allow it.
  [[nodiscard]] virtual Status accept(Token token) = 0;
  // True when nothing may follow.
  [[nodiscard]] virtual bool finished() const = 0;
  // The same state once more, for a fork of the sequence.
  [[nodiscard]] virtual std::unique_ptr<TokenConstraint> fork() const = 0;
};

}  // namespace cortex
