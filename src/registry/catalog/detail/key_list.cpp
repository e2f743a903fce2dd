// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/detail/key_list.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/check.h"

namespace cortex::registry {
namespace {

constexpr std::array<std::size_t, 3> kLengths = {1, 16, 256};

std::string key_text(std::size_t first, std::size_t width) {
  std::string out = "(";
  for (std::size_t i = 0; i < width; ++i) {
    if (i > 0) out.push_back(',');
    // PostgreSQL takes a parameter in VALUES for text unless it is told.
    out.append("CAST($").append(std::to_string(first + i)).append(" AS BIGINT)");
  }
  return out.append(")");
}

std::string with_keys(std::string_view sql, std::size_t width, std::size_t count) {
  constexpr std::string_view kPlace = "{keys}";
  const std::size_t place = sql.find(kPlace);
  CHECK(place != std::string_view::npos, "the query has no place for keys");
  std::string out(sql.substr(0, place));
  out.append("VALUES ");
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out.push_back(',');
    out.append(key_text(2 + i * width, width));
  }
  return out.append(sql.substr(place + kPlace.size()));
}

}  // namespace

Status query_keys(
    store::Transaction& transaction,
    std::string_view sql,
    const std::string& workspace,
    std::size_t width,
    std::span<const std::int64_t> keys,
    const std::function<void(const store::Rows&)>& take
) {
  while (!keys.empty()) {
    const std::size_t wanted = keys.size() / width;
    const auto fits = std::find_if(kLengths.begin(), kLengths.end(), [wanted](std::size_t length) {
      return length >= wanted;
    });
    const std::size_t length = fits == kLengths.end() ? kLengths.back() : *fits;
    std::vector<store::Value> parameters = {workspace};
    // The last key fills up the list: twice in it is once in the answer.
    for (std::size_t i = 0; i < length; ++i) {
      const auto key = keys.subspan(std::min(i, wanted - 1) * width, width);
      parameters.insert(parameters.end(), key.begin(), key.end());
    }
    CORTEX_ASSIGN_OR_RETURN(
        const store::Rows rows, transaction.query(with_keys(sql, width, length), parameters)
    );
    take(rows);
    keys = keys.subspan(std::min(wanted, length) * width);
  }
  return {};
}

}  // namespace cortex::registry
