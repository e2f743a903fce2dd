// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/llama/detail/attention_kernel.h"

namespace cortex::backend {

// Half floats in memory: [rows][cells], 0 where a row sees a cell and -infinity where it does not.
struct CellMask {
  const char* data;
  std::size_t row_step;  // in bytes
  std::size_t rows;
  std::size_t cells;  // a multiple of kMaskCells
};

inline constexpr std::size_t kMaskCells = 64;

// Which cells the rows of a step see, listed once for all layers and heads. Rows that see nearly
// the same share a tile: their keys and values are read once. Memory: at most 4 bytes for each cell
// and tile, and a bit for each cell and row; it is kept for the next step. One thread reads, then
// any may look.
class SeenCells {
 public:
  struct Work {
    std::size_t tile;
    AttentionQueries queries;
  };

  // Reads `mask` for queries of which `group` share a head of the keys.
  void read(const CellMask& mask, std::size_t group);

  // Every query once, in the order of the rows.
  [[nodiscard]] const std::vector<Work>& work() const { return work_; }
  // Valid until the next read.
  [[nodiscard]] AttentionTile tile(std::size_t index) const;

 private:
  struct Tile {
    std::size_t first_row = 0;
    std::size_t rows = 0;
    std::size_t first_cell = 0;
    std::size_t cell_count = 0;
    std::size_t first_seen = 0;
    std::size_t seen_stride = 0;
  };

  [[nodiscard]] const std::uint64_t* bits_of(std::size_t row) const {
    return bits_.data() + row * words_;
  }
  [[nodiscard]] std::size_t take_rows(std::size_t first);
  void list_cells(Tile& tile);
  void list_seen(Tile& tile);
  void add_work(std::size_t queries);

  std::size_t rows_ = 0;
  std::size_t words_ = 0;            // of 64 cells, for one row
  std::vector<std::uint64_t> bits_;  // [rows][words]
  std::vector<std::uint64_t> any_;   // [words]: seen by a row of the tile
  std::vector<std::int32_t> cells_;
  std::vector<std::uint16_t> seen_;
  std::vector<Tile> tiles_;
  std::vector<Work> work_;
};

}  // namespace cortex::backend
