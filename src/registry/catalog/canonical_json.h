// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::registry {

// The JSON Canonicalization Scheme (RFC 8785): members in the order of their UTF-16 code units,
// numbers as ECMAScript prints them, the fewest escapes, no white space. Equal documents have equal
// bytes, and thus one digest. kInvalidArgument: not JSON, not UTF-8, a name twice in one object, a
// number beyond double, or deeper than 64.
[[nodiscard]] Result<std::string> canonical_json(std::string_view json);

// The parts, for who writes an object of its own.
void append_canonical_string(std::string& out, std::string_view utf8);
// REQUIRES: finite.
void append_canonical_number(std::string& out, double value);
// True when `left` stands before `right` in a canonical object. REQUIRES: UTF-8.
[[nodiscard]] bool canonical_less(std::string_view left, std::string_view right);

}  // namespace cortex::registry
