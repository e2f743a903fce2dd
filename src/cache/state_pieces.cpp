// SPDX-License-Identifier: Apache-2.0
#include "cache/state_pieces.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace cortex::cache {
namespace {

using PieceHead = std::array<std::uint64_t, 2>;  // tokens, bytes
static_assert(sizeof(PieceHead) == kStatePieceHeadBytes);

}  // namespace

void append_piece(std::vector<std::byte>& state, const StatePiece& piece) {
  const PieceHead head = {piece.tokens, piece.saved.size()};
  const auto bytes = std::as_bytes(std::span(head));
  state.insert(state.end(), bytes.begin(), bytes.end());
  state.insert(state.end(), piece.saved.begin(), piece.saved.end());
}

Result<std::vector<StatePiece>> pieces_of(std::span<const std::byte> state) {
  std::vector<StatePiece> out;
  while (!state.empty()) {
    PieceHead head{};
    if (state.size() < sizeof(head)) return invalid_argument("the state is cut off");
    std::memcpy(head.data(), state.data(), sizeof(head));
    state = state.subspan(sizeof(head));
    const auto [tokens, bytes] = head;
    if (tokens == 0 || bytes == 0 || bytes > state.size()) {
      return invalid_argument("a piece of the state is cut off");
    }
    out.push_back({tokens, state.first(bytes)});
    state = state.subspan(bytes);
  }
  if (out.empty()) return invalid_argument("the state has no piece");
  return out;
}

}  // namespace cortex::cache
