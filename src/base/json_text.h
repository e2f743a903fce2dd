// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace cortex {

// Appends `text` as a JSON string, quotes included. Control characters are escaped; bytes that are
// not UTF-8 become U+FFFD, so that the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

// Appends a number that reads back to the same double; NaN and infinities, which JSON lacks, become
// null.
void append_json_number(std::string& out, double value);
// The same for float: the shortest text that reads back to the same float.
void append_json_number(std::string& out, float value);

// True when `text` is well-formed UTF-8 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace cortex
