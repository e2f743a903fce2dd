// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace cortex::frontend::openai {

// Appends the bytes in base64 with padding (RFC 4648, section 4).
void append_base64(std::string& out, std::span<const std::byte> bytes);

}  // namespace cortex::frontend::openai
