// SPDX-License-Identifier: Apache-2.0
#include "cache/state_pieces.h"

#include <cstdint>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

namespace cortex::cache {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(StatePieces, come_out_as_they_went_in) {
  std::vector<std::byte> state;
  append_piece(state, {3, bytes_of("abc")});
  append_piece(state, {1, bytes_of("d")});
  EXPECT_EQ(state.size(), 2 * kStatePieceHeadBytes + 4);
  const auto pieces = pieces_of(state);
  ASSERT_TRUE(pieces.ok());
  ASSERT_EQ(pieces->size(), 2u);
  EXPECT_EQ((*pieces)[0].tokens, 3u);
  EXPECT_TRUE(std::ranges::equal((*pieces)[0].saved, bytes_of("abc")));
  EXPECT_EQ((*pieces)[1].tokens, 1u);
  EXPECT_TRUE(std::ranges::equal((*pieces)[1].saved, bytes_of("d")));
}

TEST(StatePieces, refuses_what_is_cut_off_anywhere) {
  std::vector<std::byte> state;
  append_piece(state, {3, bytes_of("abc")});
  const std::size_t first = state.size();
  append_piece(state, {1, bytes_of("defg")});
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_EQ(pieces_of(std::span(state).first(size)).ok(), size == first) << size;
  }
}

TEST(StatePieces, refuses_a_piece_of_nothing_and_a_length_beyond_the_end) {
  std::vector<std::byte> state;
  append_piece(state, {0, bytes_of("abc")});
  EXPECT_EQ(pieces_of(state).status().code(), Code::kInvalidArgument);
  state.clear();
  append_piece(state, {1, {}});
  EXPECT_EQ(pieces_of(state).status().code(), Code::kInvalidArgument);
  state.clear();
  append_piece(state, {1, bytes_of("abc")});
  const auto most = std::numeric_limits<std::uint64_t>::max();
  std::memcpy(state.data() + sizeof(most), &most, sizeof(most));
  EXPECT_EQ(pieces_of(state).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace cortex::cache
