// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/status.h"

namespace cortex::registry {

// An object of untrusted JSON: UTF-8, every name once in its object, at most 64 levels deep.
// kInvalidArgument, with `what` in the text.
[[nodiscard]] Result<boost::json::object> parse_strict_object(
    std::string_view json, std::string_view what
);

// Members by name; null: there is none of that kind.
[[nodiscard]] const boost::json::object* find_object(
    const boost::json::object& in, std::string_view name
);
[[nodiscard]] const boost::json::array* find_array(
    const boost::json::object& in, std::string_view name
);
[[nodiscard]] std::optional<std::string> find_text(
    const boost::json::object& in, std::string_view name
);

}  // namespace cortex::registry
