// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <cstdint>

namespace cortex {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digit(std::uint32_t bits, unsigned place) { return kAlphabet[(bits >> (6 * place)) & 63U]; }

// 64: no digit.
std::uint32_t value_of(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 52);
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return 64;
}

}  // namespace

void append_base64(std::string& out, std::span<const std::byte> bytes) {
  std::size_t at = out.size();
  out.resize(at + (bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  const auto byte = [&](std::size_t offset) {
    return static_cast<std::uint32_t>(bytes[i + offset]);
  };
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out[at++] = digit(bits, 3);
    out[at++] = digit(bits, 2);
    out[at++] = digit(bits, 1);
    out[at++] = digit(bits, 0);
  }
  const std::size_t rest = bytes.size() - i;
  if (rest == 0) return;
  const std::uint32_t bits = byte(0) << 16 | (rest == 2 ? byte(1) << 8 : 0U);
  out[at++] = digit(bits, 3);
  out[at++] = digit(bits, 2);
  out[at++] = rest == 2 ? digit(bits, 1) : '=';
  out[at++] = '=';
}

std::string base64_text(std::string_view bytes) {
  std::string out;
  append_base64(out, std::as_bytes(std::span(bytes)));
  return out;
}

std::optional<std::string> base64_bytes(std::string_view text) {
  if (text.ends_with('=')) {
    if (text.size() % 4 != 0) return std::nullopt;
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::uint32_t value = value_of(c);
    if (value == 64) return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFFU));
  }
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace cortex
