// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/transaction.h"

namespace cortex::store {

// PostgreSQL's number of a type.
using Oid32 = unsigned int;

// The types of `width` parameters that come in several sets, one behind another: text where one is
// a text, real where one is a real, else integer; 0, which lets the server infer it, where all are
// NULL.
[[nodiscard]] std::vector<Oid32> parameter_types(
    std::size_t width, std::span<const Value> parameters
);

// One set of parameters as libpq takes it. The views of texts are into the values.
class BoundParameters {
 public:
  explicit BoundParameters(std::span<const Value> parameters);

  [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }
  [[nodiscard]] const int* lengths() const { return lengths_.data(); }
  [[nodiscard]] const int* formats() const { return formats_.data(); }

 private:
  std::vector<std::string> numbers_;
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// A value that the server wrote as text.
[[nodiscard]] Value parse_value(Oid32 type, std::string_view text);

}  // namespace cortex::store
