// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// The language that clients search with: comparisons joined by AND,
//   metrics.loss < 0.1 and params."a b" = 'x' and tags.`k` LIKE '%y%' and run_id IN ('a', 'b')
// It knows no tables: a room looks at entity and key of each comparison, picks the column and the
// type, and lets append_condition() write the SQL.

enum class Comparator : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kLike,
  kIlike,
  kIn,
  kNotIn,
  kIsNull,
  kIsNotNull,
};

// "=", "NOT IN": as it is written.
[[nodiscard]] std::string_view comparator_text(Comparator comparator);

struct Comparison {
  enum class Kind : std::uint8_t {
    kNone,     // IS NULL, IS NOT NULL
    kText,     // 'x' or "x"; `text` without the quotes
    kInteger,  // `text` as it is written, `integer` and `real` its value
    kReal,     // the same without `integer`
    kWord,     // bare: no value of any type; `text` is for the error
    kList,     // of texts
  };

  std::string entity;  // what stands before the first dot, without quotes; empty without a dot
  std::string key;     // what stands behind it, without quotes
  Comparator comparator = Comparator::kEqual;
  Kind kind = Kind::kNone;
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  std::vector<std::string> list;  // not empty for kList
};

// One element of an ordering: "metrics.loss DESC".
struct Ordering {
  std::string entity;
  std::string key;
  bool ascending = true;
};

inline constexpr std::size_t kFilterBytesLimit = 256 * 1024;
inline constexpr std::size_t kComparisonsLimit = 100;
inline constexpr std::size_t kListLimit = 5000;

// The comparisons of a filter; none for an empty one. kInvalidArgument in the words that MLflow's
// clients know ("Invalid clause(s) in filter string: 'OR'"). Pure; linear in the text.
[[nodiscard]] Result<std::vector<Comparison>> parse_filter(std::string_view filter);
[[nodiscard]] Result<Ordering> parse_ordering(std::string_view clause);

// Appends a value and returns its place in SQL, "$3".
std::string add_parameter(std::vector<Value>& parameters, Value value);

// Appends "column = $3" with the comparison's value as a parameter: a text (or a list of them) for
// a text column, a number for a numeric one. LIKE tells cases apart, ILIKE does not, and no
// character but % and _ is special in their patterns. `column` is SQL of ours. REQUIRES: the kind
// fits the comparator (is_text_comparison() or is_number_comparison() holds).
void append_condition(
    std::string& sql,
    std::vector<Value>& parameters,
    std::string_view column,
    const Comparison& comparison
);

// What a text column can answer: = != LIKE ILIKE with a text, IN and NOT IN with a list.
[[nodiscard]] bool is_text_comparison(const Comparison& comparison);
// What a numeric column can answer: = != < <= > >= with a number.
[[nodiscard]] bool is_number_comparison(const Comparison& comparison);

}  // namespace cortex::store
