// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/detail/connection.h"
#include "store/detail/statement_cache.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cortex::store {

// A connection to a SQLite file. Thread: one at a time.
class SqliteConnection final : public Connection {
 public:
  enum class Access : std::uint8_t { kWriting, kReading };

  // Opens or makes the file, without looking into it. kUnavailable when it cannot be opened. While
  // another process holds the file, statements wait up to `busy_limit`.
  [[nodiscard]] static Result<std::unique_ptr<SqliteConnection>> open(
      const std::string& path, Access access, Duration busy_limit
  );
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  [[nodiscard]] Result<Rows> query(std::string_view sql, std::span<const Value> parameters)
      override;
  [[nodiscard]] Result<std::int64_t> execute(
      std::string_view sql, std::span<const Value> parameters
  ) override;
  [[nodiscard]] Result<std::int64_t> execute_many(
      std::string_view sql, std::size_t width, std::span<const Value> parameters
  ) override;
  [[nodiscard]] Status run_script(const std::string& sql) override;
  [[nodiscard]] Result<bool> has_table(std::string_view name) override;
  [[nodiscard]] Dialect dialect() const override;

  // False also after an error for which SQLite rolled back everything by itself.
  [[nodiscard]] bool in_transaction() const;
  // Statements that run longer end with kDeadlineExceeded.
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  // `numbers[i]` is the N of the "$N" that SQLite calls i + 1: it counts by first occurrence.
  struct Statement {
    std::unique_ptr<sqlite3_stmt, Finalize> handle;
    std::vector<std::size_t> numbers;
    std::size_t width = 0;
  };
  class Running;

  SqliteConnection(sqlite3* database, Access access);

  static int look_at_clock(void* connection);
  Status configure(Duration busy_limit);
  Result<Statement*> prepare(std::string_view sql);
  Result<Statement> compile(std::string_view sql);
  Status bind(const Statement& statement, std::span<const Value> parameters);
  Status bind_one(sqlite3_stmt* statement, int index, const Value& value);
  Result<std::int64_t> run_to_end(Statement& statement, std::span<const Value> parameters);
  // The error of the last call, for the statement `sql`.
  Status error(int code, std::string_view sql) const;

  std::unique_ptr<sqlite3, Close> database_;
  const Access access_;
  StatementCache<Statement> statements_;  // goes before the database
  TimePoint deadline_ = kNoDeadline;
};

}  // namespace cortex::store
