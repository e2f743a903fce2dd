// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/listing.h"

#include <ostream>
#include <utility>

#include <boost/json/array.hpp>

#include "cli/detail/json.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {

namespace json = boost::json;

Column time_column(std::string heading, std::string member_name) {
  const auto text = [member_name](const json::value& item) {
    const json::value* value = member(item, member_name);
    return time_text(value != nullptr && value->is_int64() ? value->get_int64() : 0);
  };
  return {std::move(heading), "", text};
}

Status print_list(
    Context& context,
    const json::value& answer,
    std::string_view list,
    const std::vector<Column>& columns
) {
  const json::value* items = member(answer, list);
  if (items == nullptr || !items->is_array()) {
    return failed_precondition("the answer holds no list '" + std::string(list) + "'");
  }
  std::vector<std::vector<std::string>> rows(1);
  for (const Column& column : columns) rows.front().push_back(column.heading);
  for (const json::value& item : items->get_array()) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const Column& column : columns) {
      row.push_back(column.text ? column.text(item) : cell(member(item, column.member)));
    }
  }
  print_table(context.out, rows);
  const bool more =
      !text_member(answer, "next_page_token").empty() || member(answer, "next_before") != nullptr;
  if (more) context.err << "there are more; --limit shows up to 1000\n";
  return {};
}

}  // namespace cortex::cli::detail
