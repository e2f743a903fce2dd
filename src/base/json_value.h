// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"

namespace boost::json {
class storage_ptr;
class value;
}  // namespace boost::json

namespace cortex {

constexpr std::size_t kJsonDepthDefault = 32;

// The value of a whole JSON text: as boost::json::parse() reads it, but every number with a point
// or an exponent, and every integer of more than 64 bits, is the double nearest to what is written
// (that of Boost 1.81 is off by a few units in the last place beyond 15 digits). What is above all
// doubles is an infinity, what is below them a zero.
//
// Of members with one name the last one counts. Fails with INVALID_ARGUMENT in the words of
// Boost.JSON: no JSON, more than white space behind the value, arrays and objects deeper than
// `depth_max`.
[[nodiscard]] Result<boost::json::value> parse_json_value(
    std::string_view text, std::size_t depth_max = kJsonDepthDefault
);
// The same with the value kept in `memory`.
[[nodiscard]] Result<boost::json::value> parse_json_value(
    std::string_view text, std::size_t depth_max, boost::json::storage_ptr memory
);

}  // namespace cortex
