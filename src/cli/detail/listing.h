// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/status.h"
#include "cli/detail/context.h"

namespace cortex::cli::detail {

// One column of a table of JSON objects.
struct Column {
  std::string heading;
  std::string member;                                               // a plain value
  std::function<std::string(const boost::json::value&)> text = {};  // of the object, if it is none
};
// The member as milliseconds since the epoch.
[[nodiscard]] Column time_column(std::string heading, std::string member);

// The list of that name in a server's answer as a table; on the other stream, that the answer names
// a next page. kFailedPrecondition: there is no such list.
[[nodiscard]] Status print_list(
    Context& context,
    const boost::json::value& answer,
    std::string_view list,
    const std::vector<Column>& columns
);

}  // namespace cortex::cli::detail
