// SPDX-License-Identifier: Apache-2.0
#include "store/transaction.h"

#include <utility>

#include "base/check.h"

namespace cortex::store {

Rows::Rows(std::size_t columns, std::vector<Value> cells)
    : columns_(columns), cells_(std::move(cells)) {
  CHECK(columns == 0 ? cells_.empty() : cells_.size() % columns == 0, "a row is incomplete");
}

const Value& Rows::cell(std::size_t row, std::size_t column) const {
  CHECK(column < columns_ && row < size(), "no such cell");
  return cells_[row * columns_ + column];
}

bool Rows::is_null(std::size_t row, std::size_t column) const {
  return std::holds_alternative<std::monostate>(cell(row, column));
}

std::int64_t Rows::integer(std::size_t row, std::size_t column) const {
  const Value& value = cell(row, column);
  if (std::holds_alternative<std::monostate>(value)) return 0;
  const auto* integer = std::get_if<std::int64_t>(&value);
  CHECK(integer != nullptr, "the cell is no integer");
  return *integer;
}

double Rows::real(std::size_t row, std::size_t column) const {
  const Value& value = cell(row, column);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return static_cast<double>(integer(row, column));
}

const std::string& Rows::text(std::size_t row, std::size_t column) const {
  static const std::string empty;
  const Value& value = cell(row, column);
  if (std::holds_alternative<std::monostate>(value)) return empty;
  const auto* text = std::get_if<std::string>(&value);
  CHECK(text != nullptr, "the cell is no text");
  return *text;
}

}  // namespace cortex::store
