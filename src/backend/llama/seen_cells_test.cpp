// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/seen_cells.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

using SeenRows = std::vector<std::set<std::size_t>>;

// A mask in the library's form; `step` may be more than the cells need.
class Mask {
 public:
  Mask(const SeenRows& rows, std::size_t cells)
      : step_(cells + 32), values_(rows.size() * step_, 0xFC00), rows_(rows.size()), cells_(cells) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (const std::size_t cell : rows[row]) values_[row * step_ + cell] = 0;
    }
  }
  [[nodiscard]] CellMask view() const {
    return {reinterpret_cast<const char*>(values_.data()), step_ * 2, rows_, cells_};
  }

 private:
  std::size_t step_;
  std::vector<std::uint16_t> values_;
  std::size_t rows_;
  std::size_t cells_;
};

// What a row sees by the tile that holds it.
std::set<std::size_t> seen_by(const AttentionTile& tile, std::size_t row) {
  std::set<std::size_t> out;
  for (std::size_t i = 0; i < tile.seen_stride * kAttentionSeenBits; ++i) {
    const std::uint16_t* seen = tile.seen + (row - tile.first_row) * tile.seen_stride;
    if ((seen[i / kAttentionSeenBits] >> (i % kAttentionSeenBits) & 1) == 0) continue;
    EXPECT_LT(i, tile.cell_count) << "a bit behind the last cell";
    if (i < tile.cell_count) out.insert(static_cast<std::size_t>(tile.cells[i]));
  }
  return out;
}

// Every query of every row stands in the work once, and its tile says what the mask says.
void expect_same(const SeenCells& seen, const SeenRows& rows, std::size_t group) {
  std::vector<std::size_t> queries(rows.size());
  for (const SeenCells::Work& work : seen.work()) {
    const AttentionTile tile = seen.tile(work.tile);
    ASSERT_GE(work.queries.count, 1U);
    ASSERT_LE(work.queries.count, kAttentionQueriesMax);
    for (std::size_t i = 0; i < work.queries.count; ++i) {
      const std::size_t row = (work.queries.first + i) / group;
      ASSERT_LT(row, tile.rows);
      ++queries[tile.first_row + row];
    }
    for (std::size_t row = 0; row < tile.rows; ++row) {
      ASSERT_EQ(seen_by(tile, tile.first_row + row), rows[tile.first_row + row]);
    }
  }
  for (const std::size_t count : queries) ASSERT_EQ(count, group);
}

SeenRows prompt(std::size_t first, std::size_t rows) {
  SeenRows out(rows);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t cell = 0; cell <= first + row; ++cell) out[row].insert(cell);
  }
  return out;
}

TEST(SeenCells, rows_of_one_prompt_share_a_tile) {
  const SeenRows rows = prompt(200, 8);
  const Mask mask(rows, 256);
  SeenCells seen;
  seen.read(mask.view(), 3);
  expect_same(seen, rows, 3);
  EXPECT_EQ(seen.work().size(), 4U) << "24 queries, 6 at a time";
  EXPECT_EQ(seen.work().back().tile, 0U);
  EXPECT_EQ(seen.tile(0).cell_count, 208U) << "what is behind the last row costs nothing";
}

TEST(SeenCells, rows_of_strangers_do_not) {
  SeenRows rows(3);
  for (std::size_t cell = 0; cell < 192; ++cell) rows[cell % 3].insert(cell);
  const Mask mask(rows, 192);
  SeenCells seen;
  seen.read(mask.view(), 2);
  expect_same(seen, rows, 2);
  ASSERT_EQ(seen.work().size(), 3U);
  for (std::size_t tile = 0; tile < 3; ++tile) EXPECT_EQ(seen.tile(tile).cell_count, 64U);
}

TEST(SeenCells, rows_behind_a_prefix_of_all_do) {
  SeenRows rows = prompt(300, 1);
  rows.push_back(rows[0]);
  rows[0].insert(400);
  rows[1].insert(401);
  const Mask mask(rows, 448);
  SeenCells seen;
  seen.read(mask.view(), 1);
  expect_same(seen, rows, 1);
  EXPECT_EQ(seen.work().size(), 1U);
}

TEST(SeenCells, a_row_may_see_nothing) {
  const SeenRows rows(4);
  const Mask mask(rows, 64);
  SeenCells seen;
  seen.read(mask.view(), 5);
  expect_same(seen, rows, 5);
  EXPECT_EQ(seen.tile(0).cell_count, 0U);
}

TEST(SeenCells, any_mask_is_read_as_it_is) {
  std::mt19937 random(7);
  SeenCells seen;  // kept: what it remembers of the step before must not show
  for (int round = 0; round < 200; ++round) {
    const std::size_t cells = 64 * (1 + random() % 6);
    SeenRows rows(1 + random() % 40);
    const std::size_t share = 1 + random() % 100;
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (row > 0 && random() % 2 == 0) rows[row] = rows[row - 1];
      for (std::size_t cell = 0; cell < cells; ++cell) {
        if (random() % 400 < share) rows[row].insert(cell);
      }
    }
    const std::size_t group = 1 + random() % 9;
    const Mask mask(rows, cells);
    seen.read(mask.view(), group);
    ASSERT_NO_FATAL_FAILURE(expect_same(seen, rows, group)) << round;
  }
}

}  // namespace
}  // namespace cortex::backend
