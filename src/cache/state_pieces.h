// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/status.h"

namespace cortex::cache {

// The state of a prefix as the store keeps it: one piece behind the other, each of so many of its
// tokens, in order, and as the engine saved them. So a long prefix is copied out of the model's
// memory over many steps. docs/formats/prefix-file.md.
struct StatePiece {
  std::size_t tokens = 0;
  std::span<const std::byte> saved;
};

// What a piece takes beside the engine's bytes.
inline constexpr std::size_t kStatePieceHeadBytes = 16;

void append_piece(std::vector<std::byte>& state, const StatePiece& piece);

// The pieces of a state, whatever its bytes are; they point into it. kInvalidArgument: it has none,
// or one that is empty or cut off.
[[nodiscard]] Result<std::vector<StatePiece>> pieces_of(std::span<const std::byte> state);

}  // namespace cortex::cache
