// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/base64.h"

#include <cstdint>
#include <string_view>

namespace cortex::frontend::openai {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digit(std::uint32_t bits, unsigned place) { return kAlphabet[(bits >> (6 * place)) & 63U]; }

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

}  // namespace cortex::frontend::openai
