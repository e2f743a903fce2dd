// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/detail/cortex_text.h"

namespace cortex::text {

inline cortex_text_bytes rust_bytes(std::string_view text) { return {text.data(), text.size()}; }

// For cortex_text_text: `owner` is a std::string.
inline char* reserve_rust_text(void* owner, std::size_t size) noexcept {
  auto* text = static_cast<std::string*>(owner);
  text->resize(size);
  return text->data();
}

}  // namespace cortex::text
