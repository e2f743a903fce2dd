// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/seen_cells.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace cortex::backend {
namespace {

constexpr std::uint16_t kMasked = 0xFC00;  // the half float -infinity
constexpr std::size_t kTileRowsMax = 32;

void read_row(const char* mask, std::size_t words, std::uint64_t* bits) {
  for (std::size_t word = 0; word < words; ++word, mask += kMaskCells * sizeof(std::uint16_t)) {
    std::uint16_t values[kMaskCells];
    std::memcpy(values, mask, sizeof values);
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < kMaskCells; ++i) {
      out |= static_cast<std::uint64_t>(values[i] != kMasked) << i;
    }
    bits[word] = out;
  }
}

}  // namespace

void SeenCells::read(const CellMask& mask, std::size_t group) {
  rows_ = mask.rows;
  words_ = mask.cells / kMaskCells;
  bits_.resize(rows_ * words_);
  for (std::size_t row = 0; row < rows_; ++row) {
    read_row(mask.data + row * mask.row_step, words_, bits_.data() + row * words_);
  }
  cells_.clear();
  seen_.clear();
  tiles_.clear();
  work_.clear();
  for (std::size_t row = 0; row < rows_; row += tiles_.back().rows) {
    Tile tile;
    tile.first_row = row;
    tile.rows = take_rows(row);
    list_cells(tile);
    list_seen(tile);
    add_work(tile.rows * group);
    tiles_.push_back(tile);
  }
}

AttentionTile SeenCells::tile(std::size_t index) const {
  const Tile& tile = tiles_[index];
  return {
      .first_row = tile.first_row,
      .rows = tile.rows,
      .cells = cells_.data() + tile.first_cell,
      .cell_count = tile.cell_count,
      .seen = seen_.data() + tile.first_seen,
      .seen_stride = tile.seen_stride,
  };
}

// Rows from `first` on belong together while each of them sees most of what one of them sees.
std::size_t SeenCells::take_rows(std::size_t first) {
  any_.assign(bits_of(first), bits_of(first) + words_);
  const std::size_t end = std::min(rows_, first + kTileRowsMax);
  std::size_t least = words_ * kMaskCells;
  for (std::size_t row = first; row < end; ++row) {
    const std::uint64_t* bits = bits_of(row);
    std::size_t alone = 0;
    std::size_t together = 0;
    for (std::size_t word = 0; word < words_; ++word) {
      alone += static_cast<std::size_t>(std::popcount(bits[word]));
      together += static_cast<std::size_t>(std::popcount(bits[word] | any_[word]));
    }
    least = std::min(least, alone);
    if (row > first && together * 8 > least * 9) return row - first;
    for (std::size_t word = 0; word < words_; ++word) any_[word] |= bits[word];
  }
  return end - first;
}

void SeenCells::list_cells(Tile& tile) {
  tile.first_cell = cells_.size();
  for (std::size_t word = 0; word < words_; ++word) {
    for (std::uint64_t left = any_[word]; left != 0; left &= left - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(left));
      cells_.push_back(static_cast<std::int32_t>(word * kMaskCells + bit));
    }
  }
  tile.cell_count = cells_.size() - tile.first_cell;
}

void SeenCells::list_seen(Tile& tile) {
  tile.seen_stride = (tile.cell_count + kAttentionSeenBits - 1) / kAttentionSeenBits;
  tile.first_seen = seen_.size();
  seen_.resize(seen_.size() + tile.rows * tile.seen_stride);
  const std::int32_t* cells = cells_.data() + tile.first_cell;
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const std::uint64_t* bits = bits_of(tile.first_row + row);
    std::uint16_t* seen = seen_.data() + tile.first_seen + row * tile.seen_stride;
    for (std::size_t i = 0; i < tile.cell_count; ++i) {
      const auto cell = static_cast<std::size_t>(cells[i]);
      const auto bit = static_cast<unsigned>(bits[cell / kMaskCells] >> (cell % kMaskCells) & 1U);
      seen[i / kAttentionSeenBits] |= static_cast<std::uint16_t>(bit << (i % kAttentionSeenBits));
    }
  }
}

// Parts that are as even as they can be.
void SeenCells::add_work(std::size_t queries) {
  std::size_t first = 0;
  for (std::size_t parts = (queries + kAttentionQueriesMax - 1) / kAttentionQueriesMax; parts > 0;
       --parts) {
    const std::size_t count = (queries - first + parts - 1) / parts;
    work_.push_back({tiles_.size(), {first, count}});
    first += count;
  }
}

}  // namespace cortex::backend
