// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include <libpq-fe.h>

namespace cortex::store {
namespace {

using Kind = PostgresqlCommand::Kind;

// Statements that are not wanted any more are closed so many at a time.
constexpr std::size_t kClosingLimit = 32;
// Sets of parameters in one go: what lies in memory on both sides stays small.
constexpr std::size_t kSetsPerRound = 1000;
// The server ends a statement at the deadline; we stop waiting for its word this much later.
constexpr std::chrono::seconds kGrace{1};
constexpr std::chrono::seconds kRollbackLimit{5};

// An open transaction of a process that hangs gives up its locks.
constexpr const char* kSessionSettings =
    "SET idle_in_transaction_session_timeout = '120s'; SET extra_float_digits = 1; "
    "SET standard_conforming_strings = on;";

TimePoint with_grace(TimePoint deadline) {
  return deadline == kNoDeadline ? deadline : deadline + kGrace;
}

PostgresqlCommand plain(std::string text) {
  PostgresqlCommand command;
  command.text = std::move(text);
  return command;
}

std::int64_t changed_rows(const pg_result& result) {
  // libpq takes a pointer that it does not write through.
  const std::string_view text(PQcmdTuples(const_cast<pg_result*>(&result)));
  std::int64_t rows = 0;
  std::from_chars(text.data(), text.data() + text.size(), rows);
  return rows;
}

Value cell_of(const pg_result& result, int row, int column) {
  if (PQgetisnull(&result, row, column) == 1) return std::monostate{};
  const auto length = static_cast<std::size_t>(PQgetlength(&result, row, column));
  return parse_value(PQftype(&result, column), {PQgetvalue(&result, row, column), length});
}

Rows rows_of(const pg_result& result) {
  const int columns = PQnfields(&result);
  const int rows = PQntuples(&result);
  std::vector<Value> cells;
  cells.reserve(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      cells.push_back(cell_of(result, row, column));
    }
  }
  return {static_cast<std::size_t>(columns), std::move(cells)};
}

// The N of the highest "$N" outside of quotes: the server takes more parameters than there are.
std::size_t highest_parameter(std::string_view sql) {
  std::size_t highest = 0;
  char quote = 0;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (quote != 0 || c == '\'' || c == '"') {
      if (quote == 0 || c == quote) quote = quote == 0 ? c : '\0';
    } else if (c == '$') {
      std::size_t number = 0;
      std::from_chars(sql.data() + i + 1, sql.data() + sql.size(), number);
      highest = std::max(highest, number);
    }
  }
  return highest;
}

// The same text with other types of parameters is another statement to the server.
std::string cache_key(std::string_view sql, std::span<const Oid32> types) {
  std::string key(sql);
  for (const Oid32 type : types) key.append("\n").append(std::to_string(type));
  return key;
}

}  // namespace

PostgresqlConnection::Prepared::~Prepared() {
  if (!name.empty()) closing->push_back(std::move(name));
}

PostgresqlConnection::PostgresqlConnection(std::unique_ptr<PostgresqlSession> session)
    : session_(std::move(session)), statements_(kPreparedStatements) {}

Result<std::unique_ptr<PostgresqlConnection>> PostgresqlConnection::connect(
    const PostgresqlAddress& address, TimePoint deadline, int wake_file
) {
  CORTEX_ASSIGN_OR_RETURN(auto session, PostgresqlSession::connect(address, deadline, wake_file));
  std::unique_ptr<PostgresqlConnection> connection(new PostgresqlConnection(std::move(session)));
  connection->set_deadline(deadline);
  CORTEX_RETURN_IF_ERROR(connection->run_script(kSessionSettings));
  return connection;
}

void PostgresqlConnection::begin(const Begin& begin) {
  CHECK(transaction_ == Transaction::kNone, "one transaction at a time");
  transaction_ = Transaction::kWanted;
  begin_ = begin;
  deadline_ = begin.deadline;
  if (closing_.size() >= kClosingLimit) close_statements();
}

// In a round of its own: what goes before a BEGIN would become a part of its transaction.
void PostgresqlConnection::close_statements() {
  std::vector<PostgresqlCommand> commands;
  for (const std::string& name : closing_) commands.push_back(plain("DEALLOCATE " + name));
  closing_.clear();
  if (!exchange(commands, [](std::size_t, const pg_result&) {}).ok()) session_->give_up();
}

// SERIALIZABLE, so that what a work read still holds when it commits, as with SQLite's one writer.
void PostgresqlConnection::add_begin(std::vector<PostgresqlCommand>& commands) {
  const bool writing = begin_.access == Access::kWriting;
  commands.push_back(plain(
      writing ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
              : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
  ));
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(begin_.deadline - steady_clock().now());
  const std::int64_t milliseconds = std::clamp<std::int64_t>(left.count(), 1, 1'000'000'000);
  commands.push_back(plain("SET LOCAL statement_timeout = " + std::to_string(milliseconds)));
  if (writing && begin_.durability == Durability::kRelaxed) {
    commands.push_back(plain("SET LOCAL synchronous_commit = off"));
  }
  transaction_ = Transaction::kOpen;
}

Status PostgresqlConnection::exchange(
    std::span<const PostgresqlCommand> commands, const PostgresqlSession::OnResult& on_result
) {
  return session_->exchange(commands, with_grace(deadline_), on_result);
}

Status PostgresqlConnection::run(
    std::string_view sql,
    std::size_t sets,
    std::span<const Value> parameters,
    const PostgresqlSession::OnResult& on_result
) {
  const std::size_t width = parameters.size() / sets;
  const std::vector<Oid32> types = parameter_types(width, parameters);
  const std::string key = cache_key(sql, types);
  const Prepared* known = statements_.find(key);
  if (known == nullptr && highest_parameter(sql) != width) {
    return internal(std::to_string(width) + " parameters for: " + std::string(sql));
  }
  std::vector<PostgresqlCommand> commands;
  if (transaction_ == Transaction::kWanted) add_begin(commands);
  const std::string name = known != nullptr ? known->name : "s" + std::to_string(++names_);
  const std::size_t prepare = commands.size();
  if (known == nullptr) commands.push_back({Kind::kPrepare, std::string(sql), name, types, {}});
  const std::size_t first = commands.size();
  for (std::size_t i = 0; i < sets; ++i) {
    commands.push_back({Kind::kRun, {}, name, {}, parameters.subspan(i * width, width)});
  }
  const Status status = exchange(commands, [&](std::size_t index, const pg_result& result) {
    if (known == nullptr && index == prepare) statements_.put(key, Prepared(name, &closing_));
    if (index >= first) on_result(index - first, result);
  });
  return status.ok() ? status : explain(status, sql);
}

Status PostgresqlConnection::explain(const Status& error, std::string_view sql) {
  if (error.code() != Code::kInternal) return error;
  // Another process changed a table under a prepared statement.
  if (error.detail().starts_with("0A000 cached plan")) {
    statements_.clear();
    return Status(Code::kAborted, "the database changed meanwhile", Detail{error.detail()});
  }
  // A read work that writes is a mistake of ours; for a write it is the server that changed.
  if (error.detail().starts_with("25006") && begin_.access == Access::kWriting) {
    session_->give_up();
    return Status(Code::kUnavailable, "the database takes no writes", Detail{error.detail()});
  }
  return internal(error.detail() + " in: " + std::string(sql));
}

Result<Rows> PostgresqlConnection::query(std::string_view sql, std::span<const Value> parameters) {
  Rows rows;
  CORTEX_RETURN_IF_ERROR(run(sql, 1, parameters, [&](std::size_t, const pg_result& result) {
    rows = rows_of(result);
  }));
  return rows;
}

Result<std::int64_t> PostgresqlConnection::execute(
    std::string_view sql, std::span<const Value> parameters
) {
  std::int64_t rows = 0;
  CORTEX_RETURN_IF_ERROR(run(sql, 1, parameters, [&](std::size_t, const pg_result& result) {
    rows = changed_rows(result);
  }));
  return rows;
}

Result<std::int64_t> PostgresqlConnection::execute_many(
    std::string_view sql, std::size_t width, std::span<const Value> parameters
) {
  std::int64_t rows = 0;
  const std::size_t most = width * kSetsPerRound;
  for (std::size_t i = 0; i < parameters.size(); i += most) {
    const auto round = parameters.subspan(i, std::min(most, parameters.size() - i));
    CORTEX_RETURN_IF_ERROR(
        run(sql,
            round.size() / width,
            round,
            [&](std::size_t, const pg_result& result) { rows += changed_rows(result); })
    );
  }
  return rows;
}

Status PostgresqlConnection::run_script(const std::string& sql) {
  return session_->run_script(sql, with_grace(deadline_));
}

Result<bool> PostgresqlConnection::has_table(std::string_view name) {
  const std::array<Value, 1> parameters = {std::string(name)};
  CORTEX_ASSIGN_OR_RETURN(const Rows rows, query("SELECT to_regclass($1) IS NOT NULL", parameters));
  return rows.integer(0, 0) == 1;
}

Dialect PostgresqlConnection::dialect() const {
  return {"BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "TEXT COLLATE \"C\""};
}

Status PostgresqlConnection::commit(const std::string& channel, std::int64_t revision) {
  const bool open = std::exchange(transaction_, Transaction::kNone) == Transaction::kOpen;
  if (!open) return {};
  std::vector<PostgresqlCommand> commands;
  if (revision != 0) {
    commands.push_back(plain("NOTIFY " + channel + ", '" + std::to_string(revision) + "'"));
  }
  commands.push_back(plain("COMMIT"));
  const std::size_t last = commands.size() - 1;
  bool committed = false;
  Status status = exchange(commands, [&](std::size_t index, const pg_result& result) {
    const std::string_view tag(PQcmdStatus(const_cast<pg_result*>(&result)));
    if (index == last) committed = tag == "COMMIT";
  });
  if (!status.ok() && !lost()) {
    transaction_ = Transaction::kOpen;
    roll_back();
  }
  if (status.ok() && !committed) return internal("the transaction was lost before its commit");
  return status;
}

void PostgresqlConnection::roll_back() {
  const bool open = std::exchange(transaction_, Transaction::kNone) == Transaction::kOpen;
  if (!open || lost()) return;
  const std::array<PostgresqlCommand, 1> commands = {plain("ROLLBACK")};
  deadline_ = steady_clock().now() + kRollbackLimit;
  // A server that hears no more of us undoes the transaction by itself.
  if (!exchange(commands, [](std::size_t, const pg_result&) {}).ok()) session_->give_up();
}

}  // namespace cortex::store
