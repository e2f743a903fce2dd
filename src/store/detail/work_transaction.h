// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "store/detail/connection.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::store {

// What became of a work.
struct WorkOutcome {
  WorkOutcome() = default;
  // Before or after the work, the database failed.
  explicit WorkOutcome(Status fault) : status(fault), database(std::move(fault)) {}
  WorkOutcome(Status of_work, Status of_database, std::int64_t newest)
      : status(std::move(of_work)), database(std::move(of_database)), noted(newest) {}

  Status status;           // for whoever submitted it
  Status database;         // the database's own part of that: OK when the work itself refused
  std::int64_t noted = 0;  // the newest revision; 0 for none
};

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

  // Runs the work, which may make light of an error of the database's: the outcome does not.
  [[nodiscard]] WorkOutcome run(const Store::Work& work);

 private:
  template <typename T>
  Result<T> keep_error(Result<T> result);
  Status check(std::span<const Value> parameters);

  Connection& connection_;
  Status error_;
  std::int64_t noted_ = 0;
};

}  // namespace cortex::store
