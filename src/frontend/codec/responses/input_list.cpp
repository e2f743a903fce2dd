// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/input_list.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/detail/request_fields.h"
#include "frontend/codec/responses/response_item.h"
#include "frontend/http/target.h"

namespace cortex::frontend::responses {
namespace {

constexpr std::size_t kListMax = 100;

Status set_parameter(std::string_view name, const std::string& value, InputListQuery& query) {
  if (name == "after") {
    query.after = value;
    return {};
  }
  if (name == "order") {
    query.ascending = value == "asc";
    return value == "asc" || value == "desc" ? Status() : field_error(name, "'asc' or 'desc'");
  }
  if (name == "limit") {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), query.limit);
    const bool whole = error == std::errc() && end == value.data() + value.size();
    const bool fits = whole && query.limit >= 1 && query.limit <= kListMax;
    return fits ? Status() : field_error(name, "a whole number from 1 to 100");
  }
  // Of tools and pictures that are not here.
  return name == "include" || name == "include[]" ? Status() : unknown_field(name);
}

void append_id(std::string& out, std::string_view name, const std::string* id) {
  out.append(",\"").append(name).append("\":");
  if (id == nullptr) {
    out.append("null");
  } else {
    append_json_string(out, *id);
  }
}

}  // namespace

Result<InputListQuery> read_input_list_query(std::string_view query) {
  InputListQuery out;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t cut = std::min(pair.find('='), pair.size());
    std::string name;
    std::string value;
    const bool read = percent_decode(pair.substr(0, cut), name) &&
                      percent_decode(pair.substr(std::min(cut + 1, pair.size())), value);
    if (!read) return invalid_argument("the query cannot be read");
    if (pair.empty()) continue;
    CORTEX_RETURN_IF_ERROR(set_parameter(name, value, out));
  }
  return out;
}

Result<std::string> input_list(const std::string& items, const InputListQuery& query) {
  std::vector<Item> all;
  CORTEX_RETURN_IF_ERROR(read_kept_items(items, all));
  if (!query.ascending) std::reverse(all.begin(), all.end());
  auto from = all.begin();
  if (!query.after.empty()) {
    from = std::find_if(all.begin(), all.end(), [&](const Item& item) {
      return item.id == query.after;
    });
    if (from == all.end()) return field_error("after", "the id of an item of the list");
    ++from;
  }
  const auto rest = static_cast<std::size_t>(all.end() - from);
  const std::vector<Item> page(
      from, from + static_cast<std::ptrdiff_t>(std::min(rest, query.limit))
  );
  std::string out = R"({"object":"list","data":)";
  append_items(out, page);
  append_id(out, "first_id", page.empty() ? nullptr : &page.front().id);
  append_id(out, "last_id", page.empty() ? nullptr : &page.back().id);
  out.append(rest > query.limit ? R"(,"has_more":true})" : R"(,"has_more":false})");
  return out;
}

}  // namespace cortex::frontend::responses
