// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Attention of some rows over the cells they see, for one generation of processors. Included by a
// file that is compiled once for each of them: nothing here may bring inline functions of others,
// which the linker would take from either.
namespace cortex::backend {

// A place in a tensor and its steps in bytes.
template <typename Byte>
struct AttentionPlace {
  Byte* data;
  std::size_t next;  // the next row or cell
  std::size_t head;  // the next head
};

// The tensors of one layer. Query and out hold floats, key and value half floats; the values of one
// head are contiguous. Not owned.
struct AttentionTensors {
  AttentionPlace<const char> query;
  AttentionPlace<const char> key;
  AttentionPlace<const char> value;
  AttentionPlace<char> out;
  std::size_t key_size;  // of one head: a multiple of kAttentionWidth up to kAttentionHeadMax
  std::size_t value_size;
  std::size_t group;  // heads of a query that share one head of the key
  float scale;
};

// Rows that see nearly the same cells, and those cells: all that one of the rows sees.
struct AttentionTile {
  std::size_t first_row;
  std::size_t rows;
  const std::int32_t* cells;
  std::size_t cell_count;
  // Which of them a row sees, bit i % 16 of seen[row][i / 16]; zeros behind the last.
  const std::uint16_t* seen;
  std::size_t seen_stride;  // between two rows
};

// Some queries of a tile: a row has one for each head of the group, row after row.
struct AttentionQueries {
  std::size_t first;
  std::size_t count;  // 1 to kAttentionQueriesMax
};

inline constexpr std::size_t kAttentionSeenBits = 16;
inline constexpr std::size_t kAttentionWidth = 16;  // a head's size is a multiple of it
inline constexpr std::size_t kAttentionHeadMax = 576;
inline constexpr std::size_t kAttentionQueriesMax = 6;

// softmax(scale * query * key) * value for `queries` and the heads that share `key_head`, written
// to `out`. A query that sees nothing gets zeros. Sums are floats. Any thread; keeps nothing.
using AttentionFunction = void(
    const AttentionTensors& tensors,
    const AttentionTile& tile,
    std::size_t key_head,
    AttentionQueries queries
);
using AttentionKernel = AttentionFunction*;

namespace avx512 {
AttentionFunction attend;
}
namespace avx2 {
AttentionFunction attend;
}

}  // namespace cortex::backend
