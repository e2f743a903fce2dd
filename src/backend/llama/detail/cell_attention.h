// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/llama/detail/llama_library.h"

namespace cortex::backend {

// Attention of our own over the cells of a context, on the processor. libllama's walks all cells up
// to the last in use, for each row, head and layer, and takes a step of few rows one row at a time.
// This one lists once a step which cells a row sees, and computes rows together that see the same:
// cells that hold others' prefixes cost a step nothing, and a prompt in small pieces little more
// than one in large ones. Its sums are floats where the library's are half floats.
//
// It takes the place of the node in the library's graph while the graph is computed, on the
// library's threads, where keys and values are half floats in one stream of cells and nothing but
// the mask changes a score; everything else remains the library's.

// Lets contexts use it from now on. False where the processor has neither AVX-512 nor AVX2, or the
// device is of another version than the headers'. Thread-safe.
[[nodiscard]] bool install_cell_attention(const LlamaFunctions& api, ggml_backend_dev_t processor);

// Contexts that are made on this thread while one of these lives use it, if `wanted` and installed.
class CellAttentionScope {
 public:
  explicit CellAttentionScope(bool wanted);
  ~CellAttentionScope();
  CellAttentionScope(const CellAttentionScope&) = delete;
  CellAttentionScope& operator=(const CellAttentionScope&) = delete;
};

}  // namespace cortex::backend
