// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/detail/connection.h"
#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_session.h"
#include "store/detail/statement_cache.h"
#include "store/store.h"

namespace cortex::store {

// A connection to a PostgreSQL server. Thread: one at a time.
class PostgresqlConnection final : public Connection {
 public:
  enum class Access : std::uint8_t { kWriting, kReading };
  struct Begin {
    Access access = Access::kWriting;
    Durability durability = Durability::kStrict;
    TimePoint deadline;
  };

  // Statements outside a transaction have until `deadline` too. `wake_file` as in
  // PostgresqlSession::connect().
  [[nodiscard]] static Result<std::unique_ptr<PostgresqlConnection>> connect(
      const PostgresqlAddress& address, TimePoint deadline, int wake_file = -1
  );

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

  // A transaction; it is sent together with its first statement.
  void begin(const Begin& begin);
  // Also tells the listeners of `channel` of `revision`, unless that is 0. After an error the
  // transaction is undone; it may be there all the same when lost() is true.
  [[nodiscard]] Status commit(const std::string& channel, std::int64_t revision);
  void roll_back();

  [[nodiscard]] bool lost() const { return session_->lost(); }
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }
  [[nodiscard]] PostgresqlSession& session() { return *session_; }

 private:
  // A prepared statement on the server; its name goes to the list of those to be closed.
  struct Prepared {
    std::string name;
    std::vector<std::string>* closing = nullptr;

    Prepared(std::string n, std::vector<std::string>* c) : name(std::move(n)), closing(c) {}
    Prepared(Prepared&& other) noexcept
        : name(std::exchange(other.name, {})), closing(other.closing) {}
    Prepared& operator=(Prepared&& other) = delete;
    ~Prepared();
  };
  enum class Transaction : std::uint8_t { kNone, kWanted, kOpen };

  explicit PostgresqlConnection(std::unique_ptr<PostgresqlSession> session);

  [[nodiscard]] Status exchange(
      std::span<const PostgresqlCommand> commands, const PostgresqlSession::OnResult& on_result
  );
  // Runs one statement with each set of parameters.
  [[nodiscard]] Status run(
      std::string_view sql,
      std::size_t sets,
      std::span<const Value> parameters,
      const PostgresqlSession::OnResult& on_result
  );
  void close_statements();
  void add_begin(std::vector<PostgresqlCommand>& commands);
  [[nodiscard]] Status explain(const Status& error, std::string_view sql);

  std::unique_ptr<PostgresqlSession> session_;
  std::vector<std::string> closing_;  // outlives statements_
  StatementCache<Prepared> statements_;
  std::uint64_t names_ = 0;
  Transaction transaction_ = Transaction::kNone;
  Begin begin_;
  TimePoint deadline_ = kNoDeadline;
};

}  // namespace cortex::store
