// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

namespace cortex::frontend {

// Appends the elements that lie in `bytes`, aligned or not, as JSON values with commas between
// them. Numbers are the shortest text that reads back to the same value; NaN and infinities, which
// JSON lacks, become null.
template <typename T>
void append_json_elements(std::string& out, std::span<const std::byte> bytes) {
  constexpr std::size_t kTextMax = 32;  // of one number and its comma
  std::array<char, 4096> block{};
  char* at = block.data();
  const char* const full = block.data() + block.size() - kTextMax;
  for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    T value{};
    std::memcpy(&value, bytes.data() + i, sizeof(T));
    if (at > full) {
      out.append(block.data(), at);
      at = block.data();
    }
    if (i > 0) *at++ = ',';
    if constexpr (std::floating_point<T>) {
      if (!std::isfinite(value)) {
        at = std::copy_n("null", 4, at);
        continue;
      }
    }
    at = std::to_chars(at, block.data() + block.size(), value).ptr;
  }
  out.append(block.data(), at);
}

}  // namespace cortex::frontend
