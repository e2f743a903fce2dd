// SPDX-License-Identifier: Apache-2.0
// Compiled once for each generation of processors, which the compiler's options name.
#include "backend/llama/detail/product_kernel.h"

#include <immintrin.h>

#include <cstdint>

namespace cortex::backend {
#if defined(__AVX512F__)
namespace avx512 {
#else
namespace avx2 {
#endif
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kWidth = 16;
constexpr std::size_t kRowsTogether = 2;  // their sums fit the registers
using Floats = __m512;
using Halves = __m256i;  // as many numbers of 16 bits
#else
constexpr std::size_t kWidth = 8;
constexpr std::size_t kRowsTogether = 1;
using Floats = __m256;
using Halves = __m128i;
#endif
static_assert(kProductGroup == 8, "sums() adds up eight vectors");

// Whether a compiler makes one rounding or two out of a * b + c must not depend on where it stands.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#else
  return _mm256_fmadd_ps(a, b, c);
#endif
}

inline Floats none() {
#if defined(__AVX512F__)
  return _mm512_setzero_ps();
#else
  return _mm256_setzero_ps();
#endif
}

template <ProductNumbers kNumbers>
inline constexpr std::size_t kBytes = kNumbers == ProductNumbers::kFloat ? 4 : 2;

template <ProductNumbers kNumbers>
inline Floats widened(Halves bits) {
#if defined(__AVX512F__)
  if constexpr (kNumbers == ProductNumbers::kHalf) return _mm512_maskz_cvtph_ps(0xFFFF, bits);
  return _mm512_castsi512_ps(
      _mm512_maskz_slli_epi32(0xFFFF, _mm512_maskz_cvtepu16_epi32(0xFFFF, bits), 16)
  );
#else
  if constexpr (kNumbers == ProductNumbers::kHalf) return _mm256_cvtph_ps(bits);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
#endif
}

template <ProductNumbers kNumbers>
inline Floats load(const char* from) {
  if constexpr (kNumbers == ProductNumbers::kFloat) {
#if defined(__AVX512F__)
    return _mm512_loadu_ps(from);
#else
    return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
#endif
  }
#if defined(__AVX512F__)
  return widened<kNumbers>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#else
  return widened<kNumbers>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#endif
}

template <ProductNumbers kNumbers>
inline Floats load_copied(const char* from, std::size_t count) {
  alignas(64) char numbers[kWidth * kBytes<kNumbers>] = {};
  __builtin_memcpy(numbers, from, count * kBytes<kNumbers>);
  return load<kNumbers>(numbers);
}

inline __m256i words_until(std::size_t count) {
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), places);
}

// The last numbers of a row, and zeros: nothing behind the row is read. Where it can be, without a
// copy: a matrix as wide as a small rank has nothing else.
template <ProductNumbers kNumbers>
inline Floats load_last(const char* from, std::size_t count) {
  if constexpr (kNumbers == ProductNumbers::kFloat) {
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from);
#else
    return _mm256_maskload_ps(reinterpret_cast<const float*>(from), words_until(count));
#endif
  }
  if (count % 2 != 0) return load_copied<kNumbers>(from, count);
  const __m256i pairs = words_until(count / 2);
  const int* const words = reinterpret_cast<const int*>(from);
#if defined(__AVX512F__)
  return widened<kNumbers>(_mm256_maskload_epi32(words, pairs));
#else
  return widened<kNumbers>(_mm_maskload_epi32(words, _mm256_castsi256_si128(pairs)));
#endif
}

inline __m256 eight(Floats values) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(values, values, 0, 1, 2, 3, 4, 5, 6, 7) +
         __builtin_shufflevector(values, values, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  return values;
#endif
}

// Lane i of the result is the sum of the lanes of vector i, each added in the same order.
inline __m256 sums(const Floats* v) {
  const __m256 a = _mm256_hadd_ps(
      _mm256_hadd_ps(eight(v[0]), eight(v[1])), _mm256_hadd_ps(eight(v[2]), eight(v[3]))
  );
  const __m256 b = _mm256_hadd_ps(
      _mm256_hadd_ps(eight(v[4]), eight(v[5])), _mm256_hadd_ps(eight(v[6]), eight(v[7]))
  );
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

// Outputs of one group for some rows that follow each other.
template <ProductNumbers kNumbers, std::size_t kRows>
inline void multiply_rows(
    const ProductTensors& tensors, const char* const* matrix, const char* in, __m256* results
) {
  Floats gathered[kRows][kProductGroup];
  for (auto& row : gathered) {
    for (Floats& one : row) one = none();
  }
  const std::size_t whole = tensors.width / kWidth * kWidth;
  const std::size_t rest = tensors.width - whole;
  for (std::size_t k = 0; k < whole; k += kWidth) {
    Floats row[kRows];
#pragma GCC unroll 2
    for (std::size_t r = 0; r < kRows; ++r)
      row[r] = load<ProductNumbers::kFloat>(in + r * tensors.in_step + k * sizeof(float));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kProductGroup; ++i) {
      const Floats numbers = load<kNumbers>(matrix[i] + k * kBytes<kNumbers>);
#pragma GCC unroll 2
      for (std::size_t r = 0; r < kRows; ++r)
        gathered[r][i] = multiply_add(numbers, row[r], gathered[r][i]);
    }
  }
  if (rest > 0) {
#pragma GCC unroll 2
    for (std::size_t r = 0; r < kRows; ++r) {
      const char* const last = in + r * tensors.in_step + whole * sizeof(float);
      const Floats row = load_last<ProductNumbers::kFloat>(last, rest);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kProductGroup; ++i) {
        const Floats numbers = load_last<kNumbers>(matrix[i] + whole * kBytes<kNumbers>, rest);
        gathered[r][i] = multiply_add(numbers, row, gathered[r][i]);
      }
    }
  }
#pragma GCC unroll 2
  for (std::size_t r = 0; r < kRows; ++r) results[r] = sums(gathered[r]);
}

template <ProductNumbers kNumbers>
void multiply_group(const ProductTensors& tensors, std::size_t group, const ProductPart& part) {
  const std::size_t first = group * kProductGroup;
  const std::size_t left = tensors.outputs - first;
  const std::size_t count = left < kProductGroup ? left : kProductGroup;
  const char* matrix[kProductGroup];
  for (std::size_t i = 0; i < kProductGroup; ++i) {
    const std::size_t output = first + (i < count ? i : 0);  // what is too many is not written
    matrix[i] = tensors.matrix + output * tensors.matrix_step;
  }
  const std::size_t end = part.first_row + part.rows;
  for (std::size_t row = part.first_row; row < end;) {
    const char* const in = tensors.in + row * tensors.in_step;
    const std::size_t rows = row + kRowsTogether <= end ? kRowsTogether : 1;
    __m256 results[kRowsTogether];
    if (rows == kRowsTogether) {
      multiply_rows<kNumbers, kRowsTogether>(tensors, matrix, in, results);
    } else {
      multiply_rows<kNumbers, 1>(tensors, matrix, in, results);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      char* const out = tensors.out + (row + r) * tensors.out_step + first * sizeof(float);
      __builtin_memcpy(out, &results[r], count * sizeof(float));
    }
    row += rows;
  }
}

template <ProductNumbers kNumbers>
void multiply_part(const ProductTensors& tensors, const ProductPart& part) {
  for (std::size_t group = part.first_group; group < part.first_group + part.groups; ++group) {
    multiply_group<kNumbers>(tensors, group, part);
  }
}

}  // namespace

void multiply(const ProductTensors& tensors, const ProductPart& part) {
  switch (tensors.numbers) {
    case ProductNumbers::kFloat:
      return multiply_part<ProductNumbers::kFloat>(tensors, part);
    case ProductNumbers::kHalf:
      return multiply_part<ProductNumbers::kHalf>(tensors, part);
    case ProductNumbers::kBfloat16:
      return multiply_part<ProductNumbers::kBfloat16>(tensors, part);
  }
}

#if defined(__AVX512F__)
}  // namespace avx512
#else
}  // namespace avx2
#endif
}  // namespace cortex::backend
