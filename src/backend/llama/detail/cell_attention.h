// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ggml.h>

#include <cstddef>
#include <deque>

#include "backend/llama/detail/attention_kernel.h"
#include "backend/llama/detail/seen_cells.h"
#include "backend/llama/detail/taken_nodes.h"

namespace cortex::backend {

// Attention of our own over the cells of a context, on the processor. libllama's walks all cells up
// to the last in use, for each row, head and layer, and takes a step of few rows one row at a time.
// This one lists once a step which cells a row sees, and computes rows together that see the same:
// cells that hold others' prefixes cost a step nothing, and a prompt in small pieces little more
// than one in large ones. Its sums are floats where the library's are half floats.
//
// It takes nodes where keys and values are half floats in one stream of cells and nothing but the
// mask changes a score, on processors with AVX-512 or AVX2; everything else remains the library's.
// Thread: that of the step.
class CellAttention {
 public:
  CellAttention();
  ~CellAttention();
  CellAttention(const CellAttention&) = delete;
  CellAttention& operator=(const CellAttention&) = delete;

  // False: not one of its nodes. What it notes of it stands until clear().
  bool take(ggml_tensor* node, TakenNodes& taken);
  // The step is over, and its nodes were given back.
  void clear();

 private:
  struct Layer;
  struct Seen {
    const ggml_tensor* mask = nullptr;
    std::size_t group = 0;
    SeenCells cells;
  };
  const SeenCells& seen_by(const ggml_tensor* node, std::size_t group);

  const AttentionKernel kernel_;
  std::deque<Layer> layers_;
  std::deque<Seen> seen_;  // one for each mask; kept for their memory
  std::size_t seen_used_ = 0;
};

}  // namespace cortex::backend
