// SPDX-License-Identifier: Apache-2.0
// Compiled once for each generation of processors, which the compiler's options name.
#include "backend/llama/detail/attention_kernel.h"

#include <immintrin.h>

namespace cortex::backend {
#if defined(__AVX512F__)
namespace avx512 {
#else
namespace avx2 {
#endif
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kWidth = 16;
constexpr std::size_t kSlab = 4;  // vectors of a head that are held in registers
#else
constexpr std::size_t kWidth = 8;
constexpr std::size_t kSlab = 2;
#endif
// kAttentionQueriesMax * kSlab accumulators fit the registers.
constexpr std::size_t kChunk = 256;  // cells between two looks at the largest score
constexpr float kNothing = -1e30F;   // a score below all others; an infinity would give NaNs

using Floats = float __attribute__((vector_size(kWidth * sizeof(float))));
using Integers = std::int32_t __attribute__((vector_size(kWidth * sizeof(float))));

inline Floats load(const float* from) {
  Floats out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}

inline void store(float* to, const Floats& value) { __builtin_memcpy(to, &value, sizeof value); }

inline Floats load_half(const char* from) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#else
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#endif
}

inline Floats every(float value) { return Floats{} + value; }

// Sums the lanes of kWidth vectors; lane i of the result is the sum of vector kSlots[i].
#if defined(__AVX512F__)
constexpr std::size_t kSlots[kWidth] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
inline Floats halves(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         __builtin_shufflevector(
             a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
         );
}
inline Floats quarters(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}
inline Floats pairs(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
         __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
inline Floats singles(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
         __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
}
inline Floats four(const Floats* v) { return quarters(halves(v[0], v[1]), halves(v[2], v[3])); }
inline Floats sums(const Floats* v) {
  return singles(pairs(four(v), four(v + 4)), pairs(four(v + 8), four(v + 12)));
}
#else
constexpr std::size_t kSlots[kWidth] = {0, 2, 4, 6, 1, 3, 5, 7};
inline Floats halves(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}
inline Floats pairs(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
         __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
}
inline Floats singles(const Floats& a, const Floats& b) {
  return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
         __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}
inline Floats sums(const Floats* v) {
  return singles(
      pairs(halves(v[0], v[1]), halves(v[2], v[3])), pairs(halves(v[4], v[5]), halves(v[6], v[7]))
  );
}
#endif

inline float largest(const Floats& values) {
  float out = values[0];
  for (std::size_t i = 1; i < kWidth; ++i) out = values[i] > out ? values[i] : out;
  return out;
}

inline float sum(const Floats& values) {
  float out = values[0];
  for (std::size_t i = 1; i < kWidth; ++i) out += values[i];
  return out;
}

// e^x for x <= 0, to 2 units in the last place: 2^n * e^r with |r| <= ln(2) / 2, e^r by Cephes'
// polynomial (expf). What is larger, or none, is taken for a bound: scores that nobody sees.
inline Floats exponential(const Floats& from) {
  const Floats above = from > every(-87.0F) ? from : every(-87.0F);
  const Floats x = above < Floats{} ? above : Floats{};
  const Floats shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: rounds to an integer
  const Floats n = shifted - 12582912.0F;
  const Floats r = x - n * 0.693359375F + n * 2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  Integers bits;
  __builtin_memcpy(&bits, &p, sizeof bits);
  bits += __builtin_convertvector(n, Integers) << 23;
  Floats out;
  __builtin_memcpy(&out, &bits, sizeof out);
  return out;
}

// Some heads of some rows, and what they have gathered so far.
template <std::size_t kQueries>
struct Queries {
  alignas(64) float query[kQueries][kAttentionHeadMax];
  alignas(64) float gathered[kQueries][kAttentionHeadMax];
  alignas(64) float score[kQueries][kChunk];
  float most[kQueries];
  float total[kQueries];
  const std::uint16_t* seen[kQueries];
  float* out[kQueries];
};

struct Cells {
  const char* key;
  const char* value;
  const std::int32_t* index;
  std::size_t count;
  std::size_t known;  // indices behind the chunk are of use, too: what is needed next is asked for
};

// Rows of one head lie apart by the width of all heads, which no processor foresees.
constexpr std::size_t kAhead = 128;

[[gnu::always_inline]] inline void ask_for(
    const char* head, std::size_t step, std::size_t bytes, const Cells& cells, std::size_t at
) {
  if (at >= cells.known) return;
  const char* from = head + static_cast<std::size_t>(cells.index[at]) * step;
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + i, 0, 2);
}

template <std::size_t kQueries>
inline void score_cells(
    const AttentionTensors& tensors, Queries<kQueries>& queries, const Cells& cells
) {
  Floats products[kQueries][kWidth];
  for (std::size_t first = 0; first < cells.count; first += kWidth) {
    for (std::size_t lane = 0; lane < kWidth; ++lane) {
      const std::size_t at = first + lane < cells.count ? first + lane : cells.count - 1;
      const char* key = cells.key + static_cast<std::size_t>(cells.index[at]) * tensors.key.next;
      ask_for(cells.key, tensors.key.next, tensors.key_size * 2, cells, first + lane + kAhead);
      Floats product[kQueries]{};
      for (std::size_t i = 0; i < tensors.key_size; i += kWidth) {
        const Floats values = load_half(key + i * 2);
        for (std::size_t q = 0; q < kQueries; ++q)
          product[q] += values * load(queries.query[q] + i);
      }
      for (std::size_t q = 0; q < kQueries; ++q) products[q][kSlots[lane]] = product[q];
    }
    for (std::size_t q = 0; q < kQueries; ++q) {
      store(queries.score[q] + first, sums(products[q]));
    }
  }
}

inline Integers seen_lanes(const std::uint16_t* seen, std::size_t first) {
  Integers lane_bits;
  for (std::size_t i = 0; i < kWidth; ++i) lane_bits[i] = 1 << i;
  const std::int32_t bits = seen[first / kAttentionSeenBits] >> (first % kAttentionSeenBits);
  return ((Integers{} + bits) & lane_bits) != 0;
}

// From scores to weights; what was gathered before is brought to the same scale.
template <std::size_t kQueries>
inline void weigh_cells(
    const AttentionTensors& tensors,
    Queries<kQueries>& queries,
    std::size_t chunk,
    std::size_t count
) {
  for (std::size_t q = 0; q < kQueries; ++q) {
    float* score = queries.score[q];
    Floats most = every(kNothing);
    for (std::size_t first = 0; first < count; first += kWidth) {
      const Floats here =
          seen_lanes(queries.seen[q], chunk + first) ? load(score + first) : every(kNothing);
      most = here > most ? here : most;
    }
    const float before = queries.most[q];
    const float now = largest(most) > before ? largest(most) : before;
    Floats total{};
    for (std::size_t first = 0; first < count; first += kWidth) {
      const Floats weight = exponential(load(score + first) - now);
      const Floats here = seen_lanes(queries.seen[q], chunk + first) ? weight : Floats{};
      store(score + first, here);
      total += here;
    }
    const float shrink = exponential(every(before - now))[0];
    queries.total[q] = queries.total[q] * shrink + sum(total);
    queries.most[q] = now;
    if (now == before) continue;
    for (std::size_t i = 0; i < tensors.value_size; i += kWidth) {
      store(queries.gathered[q] + i, load(queries.gathered[q] + i) * shrink);
    }
  }
}

template <std::size_t kQueries, std::size_t kVectors>
inline void gather_slab(
    const AttentionTensors& tensors,
    Queries<kQueries>& queries,
    const Cells& cells,
    std::size_t slab
) {
  Floats gathered[kQueries][kVectors];
  for (std::size_t q = 0; q < kQueries; ++q) {
    for (std::size_t i = 0; i < kVectors; ++i)
      gathered[q][i] = load(queries.gathered[q] + slab + i * kWidth);
  }
  for (std::size_t at = 0; at < cells.count; ++at) {
    const char* value =
        cells.value + static_cast<std::size_t>(cells.index[at]) * tensors.value.next + slab * 2;
    ask_for(cells.value + slab * 2, tensors.value.next, kVectors * kWidth * 2, cells, at + kAhead);
    for (std::size_t i = 0; i < kVectors; ++i) {
      const Floats values = load_half(value + i * kWidth * 2);
      for (std::size_t q = 0; q < kQueries; ++q) gathered[q][i] += values * queries.score[q][at];
    }
  }
  for (std::size_t q = 0; q < kQueries; ++q) {
    for (std::size_t i = 0; i < kVectors; ++i)
      store(queries.gathered[q] + slab + i * kWidth, gathered[q][i]);
  }
}

template <std::size_t kQueries>
inline void gather_cells(
    const AttentionTensors& tensors, Queries<kQueries>& queries, const Cells& cells
) {
  std::size_t slab = 0;
  for (; slab + kSlab * kWidth <= tensors.value_size; slab += kSlab * kWidth) {
    gather_slab<kQueries, kSlab>(tensors, queries, cells, slab);
  }
  for (; slab < tensors.value_size; slab += kWidth)
    gather_slab<kQueries, 1>(tensors, queries, cells, slab);
}

// The queries `first` to `first + kQueries` of the tile: row after row, in each the heads of the
// group.
template <std::size_t kQueries>
void attend_some(
    const AttentionTensors& tensors,
    const AttentionTile& tile,
    std::size_t key_head,
    std::size_t first
) {
  Queries<kQueries> queries;
  for (std::size_t q = 0; q < kQueries; ++q) {
    const std::size_t row = (first + q) / tensors.group;
    const std::size_t head = key_head * tensors.group + (first + q) % tensors.group;
    const auto* query = reinterpret_cast<const float*>(
        tensors.query.data + (tile.first_row + row) * tensors.query.next + head * tensors.query.head
    );
    for (std::size_t i = 0; i < tensors.key_size; ++i)
      queries.query[q][i] = query[i] * tensors.scale;
    for (std::size_t i = 0; i < tensors.value_size; ++i) queries.gathered[q][i] = 0;
    queries.most[q] = kNothing;
    queries.total[q] = 0;
    queries.seen[q] = tile.seen + row * tile.seen_stride;
    queries.out[q] = reinterpret_cast<float*>(
        tensors.out.data + (tile.first_row + row) * tensors.out.next + head * tensors.out.head
    );
  }
  const char* key = tensors.key.data + key_head * tensors.key.head;
  const char* value = tensors.value.data + key_head * tensors.value.head;
  for (std::size_t chunk = 0; chunk < tile.cell_count; chunk += kChunk) {
    const std::size_t left = tile.cell_count - chunk;
    const Cells cells{key, value, tile.cells + chunk, left < kChunk ? left : kChunk, left};
    score_cells(tensors, queries, cells);
    weigh_cells(tensors, queries, chunk, cells.count);
    gather_cells(tensors, queries, cells);
  }
  for (std::size_t q = 0; q < kQueries; ++q) {
    const float share = queries.total[q] > 0 ? 1 / queries.total[q] : 0;
    for (std::size_t i = 0; i < tensors.value_size; ++i)
      queries.out[q][i] = queries.gathered[q][i] * share;
  }
}

}  // namespace

void attend(
    const AttentionTensors& tensors,
    const AttentionTile& tile,
    std::size_t key_head,
    AttentionQueries queries
) {
  switch (queries.count) {
    case 1:
      return attend_some<1>(tensors, tile, key_head, queries.first);
    case 2:
      return attend_some<2>(tensors, tile, key_head, queries.first);
    case 3:
      return attend_some<3>(tensors, tile, key_head, queries.first);
    case 4:
      return attend_some<4>(tensors, tile, key_head, queries.first);
    case 5:
      return attend_some<5>(tensors, tile, key_head, queries.first);
    default:
      return attend_some<kAttentionQueriesMax>(tensors, tile, key_head, queries.first);
  }
}

#if defined(__AVX512F__)
}  // namespace avx512
#else
}  // namespace avx2
#endif
}  // namespace cortex::backend
