// SPDX-License-Identifier: Apache-2.0
#include "store/detail/sqlite_connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "store/detail/sqlite_error.h"

namespace cortex::store {
namespace {

// Steps of SQLite's machine between two looks at the clock: some ten microseconds.
constexpr int kStepsPerLook = 2000;

Value value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_NULL:
      return std::monostate{};
    default: {
      const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, column));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return text == nullptr ? std::string() : std::string(text, size);
    }
  }
}

// The N of "$N"; 0 when `name` is none.
std::size_t number_of(const char* name) {
  if (name == nullptr || name[0] != '$') return 0;
  const std::string_view digits(name + 1);
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return fault == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

}  // namespace

// Leaves a statement ready for its next use, whatever came of this one.
class SqliteConnection::Running {
 public:
  explicit Running(const Statement& statement) : handle_(statement.handle.get()) {}
  ~Running() {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  sqlite3_stmt* handle_;
};

void SqliteConnection::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

void SqliteConnection::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteConnection::SqliteConnection(sqlite3* database, Access access)
    : database_(database), access_(access), statements_(kPreparedStatements) {}

SqliteConnection::~SqliteConnection() = default;

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(
    const std::string& path, Access access, Duration busy_limit
) {
  constexpr int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database, access));
  if (code != SQLITE_OK) return sqlite_status(code, path + ": " + sqlite3_errstr(code));
  CORTEX_RETURN_IF_ERROR(connection->configure(busy_limit));
  return connection;
}

Status SqliteConnection::configure(Duration busy_limit) {
  sqlite3* database = database_.get();
  const auto busy = std::chrono::ceil<std::chrono::milliseconds>(busy_limit).count();
  sqlite3_busy_timeout(database, static_cast<int>(busy));
  sqlite3_progress_handler(database, kStepsPerLook, &SqliteConnection::look_at_clock, this);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // "x" is a name, never a text, as in PostgreSQL.
  sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  CORTEX_RETURN_IF_ERROR(run_script(
      "PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON; PRAGMA trusted_schema = OFF; "
      "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;"
  ));
  return access_ == Access::kReading ? run_script("PRAGMA query_only = ON;") : Status();
}

int SqliteConnection::look_at_clock(void* connection) {
  const TimePoint deadline = static_cast<SqliteConnection*>(connection)->deadline_;
  return deadline != kNoDeadline && steady_clock().now() >= deadline ? 1 : 0;
}

Status SqliteConnection::error(int code, std::string_view sql) const {
  std::string detail = sqlite3_errmsg(database_.get());
  detail.append(" (").append(std::to_string(code)).append(") in: ").append(sql);
  // A read work that writes is a mistake of ours.
  if (code == SQLITE_READONLY && access_ == Access::kReading) return internal(std::move(detail));
  return sqlite_status(code, std::move(detail));
}

Result<SqliteConnection::Statement> SqliteConnection::compile(std::string_view sql) {
  Statement made;
  sqlite3_stmt* handle = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(
      database_.get(),
      sql.data(),
      static_cast<int>(sql.size()),
      SQLITE_PREPARE_PERSISTENT,
      &handle,
      &tail
  );
  made.handle.reset(handle);
  if (code != SQLITE_OK) return error(code, sql);
  const std::string_view rest(tail, static_cast<std::size_t>(sql.data() + sql.size() - tail));
  if (handle == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
    return internal("not exactly one statement: " + std::string(sql));
  }
  for (int i = 1; i <= sqlite3_bind_parameter_count(handle); ++i) {
    const std::size_t number = number_of(sqlite3_bind_parameter_name(handle, i));
    if (number == 0) return internal("parameters are $1, $2 ...: " + std::string(sql));
    made.numbers.push_back(number);
    made.width = std::max(made.width, number);
  }
  return made;
}

Result<SqliteConnection::Statement*> SqliteConnection::prepare(std::string_view sql) {
  if (Statement* known = statements_.find(sql)) return known;
  CORTEX_ASSIGN_OR_RETURN(Statement made, compile(sql));
  return &statements_.put(std::string(sql), std::move(made));
}

Status SqliteConnection::bind_one(sqlite3_stmt* statement, int index, const Value& value) {
  int code = SQLITE_OK;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    code = sqlite3_bind_int64(statement, index, *integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    code = sqlite3_bind_double(statement, index, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    // The parameters outlive the run of the statement.
    code = sqlite3_bind_text64(
        statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8
    );
  }
  return code == SQLITE_OK ? Status() : error(code, sqlite3_sql(statement));
}

Status SqliteConnection::bind(const Statement& statement, std::span<const Value> parameters) {
  sqlite3_stmt* handle = statement.handle.get();
  if (statement.width != parameters.size()) {
    return internal(std::to_string(parameters.size()) + " parameters for: " + sqlite3_sql(handle));
  }
  for (std::size_t i = 0; i < statement.numbers.size(); ++i) {
    const Value& value = parameters[statement.numbers[i] - 1];
    CORTEX_RETURN_IF_ERROR(bind_one(handle, static_cast<int>(i) + 1, value));
  }
  return {};
}

Result<Rows> SqliteConnection::query(std::string_view sql, std::span<const Value> parameters) {
  CORTEX_ASSIGN_OR_RETURN(Statement* const statement, prepare(sql));
  const Running running(*statement);
  CORTEX_RETURN_IF_ERROR(bind(*statement, parameters));
  sqlite3_stmt* handle = statement->handle.get();
  const int columns = sqlite3_column_count(handle);
  std::vector<Value> cells;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(handle)) == SQLITE_ROW) {
    for (int i = 0; i < columns; ++i) cells.push_back(value_of(handle, i));
  }
  if (code != SQLITE_DONE) return error(code, sql);
  return Rows(static_cast<std::size_t>(columns), std::move(cells));
}

Result<std::int64_t> SqliteConnection::run_to_end(
    Statement& statement, std::span<const Value> parameters
) {
  const Running running(statement);
  CORTEX_RETURN_IF_ERROR(bind(statement, parameters));
  sqlite3_stmt* handle = statement.handle.get();
  const sqlite3_int64 before = sqlite3_total_changes64(database_.get());
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(handle);
  if (code != SQLITE_DONE) return error(code, sqlite3_sql(handle));
  // The count of changes is that of the last statement that made some.
  const bool changed = sqlite3_total_changes64(database_.get()) != before;
  return changed ? std::int64_t{sqlite3_changes64(database_.get())} : 0;
}

Result<std::int64_t> SqliteConnection::execute(
    std::string_view sql, std::span<const Value> parameters
) {
  CORTEX_ASSIGN_OR_RETURN(Statement* const statement, prepare(sql));
  return run_to_end(*statement, parameters);
}

Result<std::int64_t> SqliteConnection::execute_many(
    std::string_view sql, std::size_t width, std::span<const Value> parameters
) {
  CORTEX_ASSIGN_OR_RETURN(Statement* const statement, prepare(sql));
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < parameters.size(); i += width) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::int64_t changed, run_to_end(*statement, parameters.subspan(i, width))
    );
    rows += changed;
  }
  return rows;
}

Status SqliteConnection::run_script(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : error(code, sql);
}

Result<bool> SqliteConnection::has_table(std::string_view name) {
  const std::array<Value, 1> parameters = {std::string(name)};
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", parameters)
  );
  return !rows.empty();
}

// AUTOINCREMENT: a number that was given is never given again, as in PostgreSQL.
Dialect SqliteConnection::dialect() const {
  return {"INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT COLLATE BINARY"};
}

bool SqliteConnection::in_transaction() const {
  return sqlite3_get_autocommit(database_.get()) == 0;
}

}  // namespace cortex::store
