// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ggml.h>

#include <deque>

#include "backend/llama/detail/product_kernel.h"
#include "backend/llama/detail/taken_nodes.h"

namespace cortex::backend {

// Products with the matrices of adapters, on the processor, whose numbers do not depend on how many
// rows a step has. The library has other code for one row than for several, which rounds otherwise,
// and activations in four or eight bits behind it make that larger: what an adapter says would
// depend on who else asks.
//
// It takes products with matrices of F32, F16 and BF16, on processors with AVX-512 or AVX2; those
// of quantised types remain the library's. Thread: that of the step.
class AdapterProducts {
 public:
  AdapterProducts();
  ~AdapterProducts();
  AdapterProducts(const AdapterProducts&) = delete;
  AdapterProducts& operator=(const AdapterProducts&) = delete;

  // False: not one of its nodes. What it notes of it stands until clear().
  bool take(ggml_tensor* node, TakenNodes& taken);
  // The step is over, and its nodes were given back.
  void clear();

 private:
  struct Product;

  const ProductKernel kernel_;
  std::deque<Product> products_;
};

}  // namespace cortex::backend
