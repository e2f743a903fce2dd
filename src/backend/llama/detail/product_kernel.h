// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// Rows times the rows of a matrix, for one generation of processors. Included by a file that is
// compiled once for each of them: nothing here may bring inline functions of others, which the
// linker would take from either.
namespace cortex::backend {

enum class ProductNumbers { kFloat, kHalf, kBfloat16 };  // of 32, 16 and 16 bits

// out[row][i] = sum over k of matrix[i][k] * in[row][k]; rows and sums are floats. Not owned; steps
// in bytes.
struct ProductTensors {
  const char* matrix;
  std::size_t matrix_step;  // the next i
  ProductNumbers numbers;   // of the matrix
  const char* in;
  std::size_t in_step;  // the next row
  char* out;
  std::size_t out_step;
  std::size_t width;    // of k, at least 1
  std::size_t outputs;  // of i, at least 1
};

// Part of a product: outputs in groups of kProductGroup, the last one as far as there are any.
struct ProductPart {
  std::size_t first_group;
  std::size_t groups;
  std::size_t first_row;
  std::size_t rows;
};

inline constexpr std::size_t kProductGroup = 8;

// Computes and writes the part. A number of the result is the same to the last bit whatever part it
// is computed in: it is added in an order that `width` alone decides. Any thread; keeps nothing.
using ProductFunction = void(const ProductTensors& tensors, const ProductPart& part);
using ProductKernel = ProductFunction*;

namespace avx512 {
ProductFunction multiply;
}
namespace avx2 {
ProductFunction multiply;
}

}  // namespace cortex::backend
