// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace cortex::store {

// One value of a row or a parameter. NaN is not a value: databases disagree about it, so store a
// flag beside it.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

// What a query gave, row by row. A value; the accessors CHECK their indices and kinds.
class Rows {
 public:
  Rows() = default;
  Rows(std::size_t columns, std::vector<Value> cells);

  [[nodiscard]] std::size_t size() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
  [[nodiscard]] bool empty() const { return cells_.empty(); }
  [[nodiscard]] std::size_t columns() const { return columns_; }

  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const;  // NULL is 0
  [[nodiscard]] double real(std::size_t row, std::size_t column) const;  // integers too; NULL is 0
  [[nodiscard]] const std::string& text(std::size_t row, std::size_t column) const;  // NULL is ""
  [[nodiscard]] const Value& value(std::size_t row, std::size_t column) const {
    return cell(row, column);
  }

 private:
  const Value& cell(std::size_t row, std::size_t column) const;

  std::size_t columns_ = 0;
  std::vector<Value> cells_;
};

// What a piece of work sees of the database: one transaction. SQL is the common language of SQLite
// 3.40 and PostgreSQL 15: parameters are $1, $2 …; ON CONFLICT … DO UPDATE, RETURNING, WITH
// RECURSIVE, row values and NULLS LAST exist in both; LIKE tells cases apart and needs an ESCAPE
// clause; times are BIGINT milliseconds since the epoch; integers BIGINT, reals DOUBLE PRECISION.
// Text that a client sent goes into parameters, never into the SQL.
//
// A number compared with a column of text, or the other way round, is an error in PostgreSQL. Where
// nothing tells what a parameter is ("$1 IS NULL"), a CAST says it.
//
// Errors: kInvalidArgument NaN, a zero byte, what is no UTF-8, or too large a value (PostgreSQL
// takes 2 kB in a key); kAlreadyExists a unique key, kFailedPrecondition another constraint,
// kAborted the database wants the whole work again (the store does that by itself: return it),
// kResourceExhausted a full disk, kDataLoss a broken file, kUnavailable a lost database, kInternal
// wrong SQL. After an error the transaction is lost: return it.
//
// Thread: the store's own, while the work runs.
class Transaction {
 public:
  virtual ~Transaction() = default;

  [[nodiscard]] virtual Result<Rows> query(
      std::string_view sql, std::span<const Value> parameters
  ) = 0;
  // The number of rows that were inserted, changed or deleted.
  [[nodiscard]] virtual Result<std::int64_t> execute(
      std::string_view sql, std::span<const Value> parameters
  ) = 0;
  // One statement with many sets of parameters, one behind another in `parameters`, `width` values
  // each; sent in one go where the database is far. The number of rows in all.
  [[nodiscard]] virtual Result<std::int64_t> execute_many(
      std::string_view sql, std::size_t width, std::span<const Value> parameters
  ) = 0;

  [[nodiscard]] Result<Rows> query(
      std::string_view sql, std::initializer_list<Value> parameters = {}
  ) {
    return query(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }
  [[nodiscard]] Result<std::int64_t> execute(
      std::string_view sql, std::initializer_list<Value> parameters = {}
  ) {
    return execute(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }

  // Notes in the change feed that the thing `key` of kind `kind` ("model", "webhook") is not what
  // it was, in the same transaction. The revision is the store's next one; revisions are committed
  // in ascending order. For what others follow; not for rows that come thousands a second.
  [[nodiscard]] virtual Result<std::int64_t> note_change(
      std::string_view kind, std::string_view key
  ) = 0;
};

}  // namespace cortex::store
