// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "store/detail/connection.h"
#include "store/transaction.h"

namespace cortex::store {

// What one work sees of a connection on which a transaction was begun. Its first error sticks:
// every later statement answers with it, as the transaction is lost. Thread: the connection's.
class WorkTransaction final : public Transaction {
 public:
  explicit WorkTransaction(Connection& connection) : connection_(connection) {}

  using Transaction::execute;
  using Transaction::query;
  [[nodiscard]] Result<Rows> query(std::string_view sql, std::span<const Value> parameters)
      override;
  [[nodiscard]] Result<std::int64_t> execute(
      std::string_view sql, std::span<const Value> parameters
  ) override;
  [[nodiscard]] Result<std::int64_t> execute_many(
      std::string_view sql, std::size_t width, std::span<const Value> parameters
  ) override;
  [[nodiscard]] Result<std::int64_t> note_change(std::string_view kind, std::string_view key)
      override;

  // The error that lost the transaction; OK when none did.
  [[nodiscard]] const Status& error() const { return error_; }
  // The newest revision that was noted; 0 when none was.
  [[nodiscard]] std::int64_t noted() const { return noted_; }

 private:
  template <typename T>
  Result<T> keep_error(Result<T> result);
  Status check(std::span<const Value> parameters);

  Connection& connection_;
  Status error_;
  std::int64_t noted_ = 0;
};

}  // namespace cortex::store
