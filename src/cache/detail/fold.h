// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace cortex::cache {

static_assert(std::endian::native == std::endian::little, "files and hashes are little-endian");

// A running hash: a bijection of `sum` for each word, and of the word for each sum, so that one
// word that changed always shows.
[[nodiscard]] constexpr std::uint64_t fold_word(std::uint64_t sum, std::uint64_t word) {
  return std::rotl((sum ^ word) * 0x9E3779B97F4A7C15U, 29) + 0xD1B54A32D192ED03U;
}

// Against accidents, not against malice.
[[nodiscard]] inline std::uint64_t fold_bytes(std::uint64_t sum, std::span<const std::byte> bytes) {
  sum = fold_word(sum, bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
    std::memcpy(&word, bytes.data(), size);
    sum = fold_word(sum, word);
    bytes = bytes.subspan(size);
  }
  // The last words reach every bit.
  return fold_word(sum ^ (sum >> 32U), 0);
}

[[nodiscard]] inline std::uint64_t fold_text(std::uint64_t sum, std::string_view text) {
  return fold_bytes(sum, std::as_bytes(std::span(text)));
}

}  // namespace cortex::cache
