// SPDX-License-Identifier: Apache-2.0
#include "store/detail/work_transaction.h"

#include <utility>

#include "base/clock.h"
#include "store/detail/parameters.h"

namespace cortex::store {

WorkOutcome WorkTransaction::run(const Store::Work& work) {
  Status status = work(*this);
  if (status.ok()) status = error_;
  return {std::move(status), error_, noted_};
}

template <typename T>
Result<T> WorkTransaction::keep_error(Result<T> result) {
  if (!result.ok() && error_.ok()) error_ = result.status();
  return result;
}

Status WorkTransaction::check(std::span<const Value> parameters) {
  if (error_.ok()) error_ = check_parameters(parameters);
  return error_;
}

Result<Rows> WorkTransaction::query(std::string_view sql, std::span<const Value> parameters) {
  CORTEX_RETURN_IF_ERROR(check(parameters));
  return keep_error(connection_.query(sql, parameters));
}

Result<std::int64_t> WorkTransaction::execute(
    std::string_view sql, std::span<const Value> parameters
) {
  CORTEX_RETURN_IF_ERROR(check(parameters));
  return keep_error(connection_.execute(sql, parameters));
}

Result<std::int64_t> WorkTransaction::execute_many(
    std::string_view sql, std::size_t width, std::span<const Value> parameters
) {
  CHECK(width > 0 && parameters.size() % width == 0, "a set of parameters is incomplete");
  CORTEX_RETURN_IF_ERROR(check(parameters));
  if (parameters.empty()) return std::int64_t{0};
  return keep_error(connection_.execute_many(sql, width, parameters));
}

// The counter is one row: whoever notes a change holds it until the commit, so that revisions
// become visible in their order.
Result<std::int64_t> WorkTransaction::note_change(std::string_view kind, std::string_view key) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows counter,
      Transaction::query(
          "UPDATE store_revision SET revision = revision + 1 WHERE id = 1 RETURNING revision"
      )
  );
  CHECK(counter.size() == 1, "the change feed has one counter");
  const std::int64_t revision = counter.integer(0, 0);
  CORTEX_ASSIGN_OR_RETURN(
      [[maybe_unused]] const std::int64_t rows,
      Transaction::execute(
          "INSERT INTO store_change (revision, kind, thing, noted_at) VALUES ($1, $2, $3, $4)",
          {revision, std::string(kind), std::string(key), unix_milliseconds()}
      )
  );
  noted_ = revision;
  return revision;
}

}  // namespace cortex::store
