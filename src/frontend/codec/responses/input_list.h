// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::responses {

// What GET /v1/responses/{response_id}/input_items was asked for.
struct InputListQuery {
  std::size_t limit = 20;
  bool ascending = false;
  std::string after;  // the id of an item; empty: from the beginning
};

inline constexpr RouteParameter kInputListParameters[] = {
    {"limit",
     "query",
     "Items at most.",
     R"({"type":"integer","minimum":1,"maximum":100,"default":20})"},
    {"order",
     "query",
     "By their place in the request.",
     R"({"enum":["asc","desc"],"default":"desc"})"},
    {"after", "query", "The id of the last item that is known already.", R"({"type":"string"})"},
};

// kInvalidArgument names the parameter at fault. `query` is raw, without '?'.
[[nodiscard]] Result<InputListQuery> read_input_list_query(std::string_view query);

// The page of the list that was asked for; `items` is what a kept response answered.
[[nodiscard]] Result<std::string> input_list(const std::string& items, const InputListQuery& query);

}  // namespace cortex::frontend::responses
