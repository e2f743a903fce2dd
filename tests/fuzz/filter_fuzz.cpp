// SPDX-License-Identifier: Apache-2.0
// The input is a search filter, and an ordering. What is accepted must become SQL without a byte of
// the input in it, and must mean the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "store/filter.h"
#include "store/keyset.h"

using cortex::store::Comparison;
using cortex::store::make_page_token;
using cortex::store::read_page_token;
using cortex::store::Value;

namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out.push_back(c);
    out.push_back(c);
  }
  out.push_back(quote);
  return out;
}

std::string value_text(const Comparison& comparison) {
  switch (comparison.kind) {
    case Comparison::Kind::kText:
      return quoted(comparison.text, '\'');
    case Comparison::Kind::kList: {
      std::string out = "(";
      for (const std::string& value : comparison.list) out.append(quoted(value, '\'')).append(",");
      return out.append(")");
    }
    default:
      return comparison.text;
  }
}

std::string written(const Comparison& comparison) {
  std::string out = quoted(comparison.entity, '`') + "." + quoted(comparison.key, '`') + " ";
  out.append(comparator_text(comparison.comparator)).append(" ");
  return out.append(value_text(comparison));
}

void check_same(const Comparison& one, const Comparison& other) {
  CHECK(one.entity == other.entity && one.key == other.key, "the name stays");
  CHECK(one.comparator == other.comparator && one.kind == other.kind, "the kind stays");
  CHECK(one.text == other.text && one.list == other.list, "the value stays");
}

void check_sql(const Comparison& comparison) {
  if (!is_text_comparison(comparison) && !is_number_comparison(comparison)) return;
  std::string sql;
  std::vector<Value> parameters;
  append_condition(sql, parameters, "c", comparison);
  CHECK(!parameters.empty(), "values are parameters");
  constexpr std::string_view kAllowed = "clower()ACEIKLNOPSTX <>=!$0123456789,\\'";
  for (const char c : sql) CHECK(kAllowed.find(c) != std::string_view::npos, "SQL of ours alone");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto comparisons = cortex::store::parse_filter(text);
  if (comparisons.ok()) {
    for (const Comparison& comparison : *comparisons) {
      check_sql(comparison);
      const auto again = cortex::store::parse_filter(written(comparison));
      CHECK(again.ok() && again->size() == 1, "what was read can be written");
      check_same(comparison, again->front());
    }
  }
  const auto ordering = cortex::store::parse_ordering(text);
  CHECK(ordering.ok() || !ordering.status().text().empty(), "a refusal says why");
  const auto token = read_page_token("q", text);
  if (token.ok()) {
    const auto again = read_page_token("q", make_page_token("q", *token));
    CHECK(again.ok() && *again == *token, "a token keeps its values");
  }
  return 0;
}
