// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "base/status.h"
#include "cli/detail/context.h"

namespace cortex::cli::detail {

// Never throws; the error says what could not be read.
[[nodiscard]] Result<boost::json::value> parse_json(std::string_view text, std::string_view what);

// A call whose answer is JSON.
[[nodiscard]] Result<boost::json::value> call_json(
    net::HttpClient& client, const net::HttpCall& call
);

// The member, or null when `value` is no object or has none of that name.
[[nodiscard]] const boost::json::value* member(
    const boost::json::value& value, std::string_view name
);
// The member's text; empty when it is none.
[[nodiscard]] std::string text_member(const boost::json::value& value, std::string_view name);
// The member's numbers; empty when it is no list.
[[nodiscard]] std::vector<std::int64_t> numbers_member(
    const boost::json::value& value, std::string_view name
);

// Indented by two spaces; short lists of plain values stay on one line.
[[nodiscard]] std::string pretty(const boost::json::value& value);

}  // namespace cortex::cli::detail
