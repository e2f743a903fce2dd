// SPDX-License-Identifier: Apache-2.0
#include "store/detail/parameters.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cortex::store {
namespace {

// The length of a multi-byte sequence by its first byte, and the least code point that needs it.
struct Sequence {
  std::size_t length = 0;
  std::uint32_t least = 0;
  std::uint32_t bits = 0;
};

Sequence sequence_of(unsigned char first) {
  if (first >= 0xC2 && first < 0xE0) return {2, 0x80, first & 0x1Fu};
  if (first >= 0xE0 && first < 0xF0) return {3, 0x800, first & 0x0Fu};
  if (first >= 0xF0 && first < 0xF5) return {4, 0x10000, first & 0x07u};
  return {};
}

// The bytes of the valid sequence at the start of `text`; 0 when there is none.
std::size_t valid_sequence(std::string_view text) {
  const Sequence sequence = sequence_of(static_cast<unsigned char>(text[0]));
  if (sequence.length == 0 || sequence.length > text.size()) return 0;
  std::uint32_t point = sequence.bits;
  for (std::size_t i = 1; i < sequence.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0u) != 0x80u) return 0;
    point = (point << 6u) | (byte & 0x3Fu);
  }
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  return point < sequence.least || point > 0x10FFFF || surrogate ? 0 : sequence.length;
}

Status check_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0) return invalid_argument("a text holds a zero byte");
    const std::size_t length = byte < 0x80 ? 1 : valid_sequence(text.substr(i));
    if (length == 0) return invalid_argument("a text is not valid UTF-8");
    i += length;
  }
  return {};
}

}  // namespace

Status check_parameters(std::span<const Value> parameters) {
  for (const Value& value : parameters) {
    if (const auto* real = std::get_if<double>(&value)) {
      if (std::isnan(*real)) return invalid_argument("NaN cannot be stored as a number");
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      CORTEX_RETURN_IF_ERROR(check_text(*text));
    }
  }
  return {};
}

}  // namespace cortex::store
