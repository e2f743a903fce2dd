// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_value.h"
#include "store/transaction.h"

struct pg_conn;
struct pg_result;

namespace cortex::store {

// One thing that is sent to the server. What it refers to outlives the exchange.
struct PostgresqlCommand {
  enum class Kind : std::uint8_t { kPlain, kPrepare, kRun };

  Kind kind = Kind::kPlain;
  std::string text;  // kPlain, kPrepare: one statement
  std::string name;  // kPrepare, kRun: of the prepared statement
  std::span<const Oid32> types;
  std::span<const Value> parameters;
};

// The wire to a PostgreSQL server: commands go out in one piece (libpq's pipeline mode) and every
// wait ends with a deadline. After a wait in vain or an end of the connection it is lost, for good.
// Thread: one at a time.
class PostgresqlSession {
 public:
  // Called for every command that succeeded, with its place in the exchange.
  using OnResult = std::function<void(std::size_t index, const pg_result& result)>;

  // Every wait of the session also ends, and the session with it, when `wake_file` is readable; -1
  // is none.
  [[nodiscard]] static Result<std::unique_ptr<PostgresqlSession>> connect(
      const PostgresqlAddress& address, TimePoint deadline, int wake_file = -1
  );
  ~PostgresqlSession();
  PostgresqlSession(const PostgresqlSession&) = delete;
  PostgresqlSession& operator=(const PostgresqlSession&) = delete;

  // The first error; the commands behind it were not run.
  [[nodiscard]] Status exchange(
      std::span<const PostgresqlCommand> commands, TimePoint deadline, const OnResult& on_result
  );
  // Several statements in one text, without parameters.
  [[nodiscard]] Status run_script(const std::string& sql, TimePoint deadline);

  // Waits for something to read, or for the deadline. An error means lost.
  [[nodiscard]] Status wait_for_notice(TimePoint deadline);
  // The text of the next notification that came in; none waits.
  [[nodiscard]] std::optional<std::string> next_notification();

  [[nodiscard]] bool lost() const { return lost_; }
  // Nothing more can be expected of this connection.
  void give_up() { lost_ = true; }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  struct Clear {
    void operator()(pg_result* result) const;
  };
  using ResultHandle = std::unique_ptr<pg_result, Clear>;

  PostgresqlSession(pg_conn* connection, int wake_file);

  Status finish_connecting(TimePoint deadline);
  Status check_server() const;
  Status wait(short events, TimePoint deadline);
  int poll_both(short events, TimePoint deadline);
  Status flush(TimePoint deadline);
  Status wait_for_result(TimePoint deadline);
  Status send(const PostgresqlCommand& command);
  // The results of one round, until the synchronisation point or, without one, the end.
  Status receive(TimePoint deadline, const OnResult& on_result);
  Status error_of(const pg_result& result);
  Status lose();

  std::unique_ptr<pg_conn, Finish> connection_;
  const int wake_file_;
  bool lost_ = false;
};

}  // namespace cortex::store
