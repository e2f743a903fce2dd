// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace cortex::cli::detail {

// Rows of one length, the first of them the headings; columns as wide as their widest cell, counted
// in characters. Control characters, which a server might send, are shown as '?'.
void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows);

// "2026-11-21 16:30:05" in UTC; empty for 0.
[[nodiscard]] std::string time_text(std::int64_t unix_milliseconds);
// "1.5 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// A plain value as people read it: a text without quotes, nothing for null.
[[nodiscard]] std::string cell(const boost::json::value* value);

// Two sides of one thing, in one list of {"name", "left", "right"}: "- left" and "+ right" below
// the name.
void print_differences(std::ostream& out, const std::string& title, const boost::json::value* list);

}  // namespace cortex::cli::detail
