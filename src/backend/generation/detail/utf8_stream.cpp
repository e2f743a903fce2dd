// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/utf8_stream.h"

#include <cstddef>

namespace cortex::backend {
namespace {

constexpr std::string_view kNoCharacter = "\xEF\xBF\xBD";

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Bytes of the character that begins with `lead`; 0: none does.
std::size_t character_length(unsigned lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// No surrogates, nothing beyond the last character, nothing longer than it need be: all of that
// shows in the second byte.
bool may_be_second(unsigned lead, unsigned second) {
  if (lead == 0xE0 && second < 0xA0) return false;
  if (lead == 0xED && second > 0x9F) return false;
  if (lead == 0xF0 && second < 0x90) return false;
  if (lead == 0xF4 && second > 0x8F) return false;
  return (second & 0xC0) == 0x80;
}

// How many bytes from `at` on fit into one character, and whether that is all of it.
struct Stretch {
  std::size_t bytes = 0;
  bool whole = false;
  bool open = false;  // the text ended within it
};

Stretch stretch_at(std::string_view text, std::size_t at) {
  const unsigned lead = byte_at(text, at);
  const std::size_t length = character_length(lead);
  if (length == 0) return {1, false, false};
  std::size_t fits = 1;
  while (fits < length && at + fits < text.size()) {
    const unsigned next = byte_at(text, at + fits);
    if (fits == 1 ? !may_be_second(lead, next) : (next & 0xC0) != 0x80) return {fits, false, false};
    ++fits;
  }
  return {fits, fits == length, fits < length};
}

}  // namespace

std::string Utf8Stream::feed(std::string_view bytes) {
  kept_ += bytes;
  std::string out;
  std::size_t at = 0;
  while (at < kept_.size()) {
    const Stretch stretch = stretch_at(kept_, at);
    if (stretch.open) break;
    out += stretch.whole ? std::string_view(kept_).substr(at, stretch.bytes) : kNoCharacter;
    at += stretch.bytes;
  }
  kept_.erase(0, at);
  return out;
}

std::string Utf8Stream::finish() {
  if (kept_.empty()) return {};
  kept_.clear();
  return std::string(kNoCharacter);
}

}  // namespace cortex::backend
