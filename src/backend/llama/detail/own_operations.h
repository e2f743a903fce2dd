// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/llama/detail/llama_library.h"

namespace cortex::backend {

// Operations of ours in the place of the library's, on the processor: while a graph is computed,
// the nodes that AdapterProducts and CellAttention take are theirs.

// Lets contexts that are made from now on use them. False where the processor has neither AVX-512
// nor AVX2, or the device is of another version than the headers'. Thread-safe.
[[nodiscard]] bool install_own_operations(const LlamaFunctions& api, ggml_backend_dev_t processor);

// Contexts that are made on this thread while one of these lives use them, the attention only with
// `cell_attention`.
class OwnOperationsScope {
 public:
  explicit OwnOperationsScope(bool cell_attention);
  ~OwnOperationsScope();
  OwnOperationsScope(const OwnOperationsScope&) = delete;
  OwnOperationsScope& operator=(const OwnOperationsScope&) = delete;
};

}  // namespace cortex::backend
