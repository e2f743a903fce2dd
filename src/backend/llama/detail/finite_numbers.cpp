// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/finite_numbers.h"

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace cortex::backend {
namespace {

// A float whose exponent has all its bits is infinite or none.
constexpr std::uint32_t kExponent32 = 0x7F800000;
constexpr std::uint16_t kExponent16 = 0x7C00;
constexpr std::uint16_t kExponentBrain = 0x7F80;

template <typename Bits>
Bits bits_at(std::string_view bytes, std::size_t at) {
  Bits out{};
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

template <typename Bits>
bool floats_are_finite(std::string_view bytes, Bits exponent) {
  bool other = false;  // without a branch the compiler looks at many at once
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Bits)) {
    other |= (bits_at<Bits>(bytes, at) & exponent) == exponent;
  }
  return !other;
}

// The scale of a block of IQ1_M is spread over the highest four bits of four numbers; its exponent
// is in those of the last two.
bool spread_scale_is_finite(std::string_view block) {
  constexpr std::size_t kThird = 52;
  const auto low = bits_at<std::uint16_t>(block, kThird);
  const auto high = bits_at<std::uint16_t>(block, kThird + sizeof low);
  return (low & 0xC000U) != 0xC000U || (high & 0x7000U) != 0x7000U;
}

bool block_is_finite(const TensorType& type, std::string_view block) {
  if (type.number == GGML_TYPE_IQ1_M) return spread_scale_is_finite(block);
  if (type.number == GGML_TYPE_MXFP4) return block.front() != '\xFF';  // a power of two, or none
  for (const std::int16_t at : type.scales) {
    if (at < 0) continue;
    const auto scale = bits_at<std::uint16_t>(block, static_cast<std::size_t>(at));
    if ((scale & kExponent16) == kExponent16) return false;
  }
  return true;
}

}  // namespace

bool numbers_are_finite(const TensorType& type, std::string_view blocks) {
  CHECK(blocks.size() % type.block_bytes == 0, "a tensor is made of whole blocks");
  if (type.number == GGML_TYPE_F32) return floats_are_finite(blocks, kExponent32);
  if (type.number == GGML_TYPE_F16) return floats_are_finite(blocks, kExponent16);
  if (type.number == GGML_TYPE_BF16) return floats_are_finite(blocks, kExponentBrain);
  for (std::size_t at = 0; at < blocks.size(); at += type.block_bytes) {
    if (!block_is_finite(type, blocks.substr(at, type.block_bytes))) return false;
  }
  return true;
}

}  // namespace cortex::backend
