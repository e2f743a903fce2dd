// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cortex {

// Appends the bytes in base64 with padding (RFC 4648, section 4).
void append_base64(std::string& out, std::span<const std::byte> bytes);
[[nodiscard]] std::string base64_text(std::string_view bytes);

// The bytes of a text in the standard or the URL-safe alphabet, with or without padding; nothing
// for any other character, a wrong length, or bits that no byte holds: one text for the same bytes.
[[nodiscard]] std::optional<std::string> base64_bytes(std::string_view text);

}  // namespace cortex
