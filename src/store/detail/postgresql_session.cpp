// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_session.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include "store/detail/postgresql_error.h"

namespace cortex::store {
namespace {

// Rounded up: a poll that ends early would only be repeated.
int milliseconds_until(TimePoint deadline) {
  if (deadline == kNoDeadline) return -1;
  const Duration left = deadline - steady_clock().now();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, 1'000'000));
}

// poll() that goes on after a signal.
int poll_until(std::span<pollfd> files, TimePoint deadline) {
  int ready = -1;
  do {
    ready = ::poll(files.data(), files.size(), milliseconds_until(deadline));
  } while (ready < 0 && errno == EINTR);
  return ready;
}

std::string field(const PGresult& result, int code) {
  const char* text = PQresultErrorField(&result, code);
  return text == nullptr ? std::string() : std::string(text);
}

Status timed_out() { return deadline_exceeded("the database did not answer before the deadline"); }

void ignore_notice(void*, const PGresult*) {}

}  // namespace

void PostgresqlSession::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }
void PostgresqlSession::Clear::operator()(pg_result* result) const { PQclear(result); }

PostgresqlSession::PostgresqlSession(pg_conn* connection, int wake_file)
    : connection_(connection), wake_file_(wake_file) {}
PostgresqlSession::~PostgresqlSession() = default;

Result<std::unique_ptr<PostgresqlSession>> PostgresqlSession::connect(
    const PostgresqlAddress& address, TimePoint deadline, int wake_file
) {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
  for (const auto& [keyword, value] : address.settings()) {
    keywords.push_back(keyword.c_str());
    values.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PostgresqlSession> session(
      new PostgresqlSession(PQconnectStartParams(keywords.data(), values.data(), 0), wake_file)
  );
  CORTEX_RETURN_IF_ERROR(session->finish_connecting(deadline));
  CORTEX_RETURN_IF_ERROR(session->check_server());
  return session;
}

Status PostgresqlSession::finish_connecting(TimePoint deadline) {
  pg_conn* connection = connection_.get();
  if (PQstatus(connection) == CONNECTION_BAD) return lose();
  PostgresPollingStatusType turn = PGRES_POLLING_WRITING;
  while (turn != PGRES_POLLING_OK) {
    CORTEX_RETURN_IF_ERROR(wait(turn == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline));
    turn = PQconnectPoll(connection);
    if (turn == PGRES_POLLING_FAILED) return lose();
  }
  PQsetNoticeReceiver(connection, &ignore_notice, nullptr);
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) return lose();
  return {};
}

Status PostgresqlSession::check_server() const {
  constexpr int oldest = 130000;
  if (PQserverVersion(connection_.get()) < oldest) {
    return failed_precondition("PostgreSQL is older than version 13");
  }
  const char* encoding = PQparameterStatus(connection_.get(), "server_encoding");
  if (encoding == nullptr || std::string_view(encoding) != "UTF8") {
    return failed_precondition("the encoding of the PostgreSQL database is not UTF8");
  }
  return {};
}

// The server's own word that it is going down comes as an error too, before the connection ends.
Status PostgresqlSession::lose() {
  lost_ = true;
  return lost_connection(PQerrorMessage(connection_.get()));
}

// What poll() says of the connection; negative also when we were woken. poll() passes over -1.
int PostgresqlSession::poll_both(short events, TimePoint deadline) {
  std::array<pollfd, 2> files{
      pollfd{PQsocket(connection_.get()), events, 0}, pollfd{wake_file_, POLLIN, 0}
  };
  const int ready = poll_until(files, deadline);
  return files[1].revents != 0 ? -1 : ready;
}

Status PostgresqlSession::wait(short events, TimePoint deadline) {
  const int ready = poll_both(events, deadline);
  if (ready > 0) return {};
  lost_ = true;
  return ready == 0 ? timed_out() : lost_connection("nobody waits for the answer any more");
}

// The server may stop reading until it could write: what it says is taken in meanwhile.
Status PostgresqlSession::flush(TimePoint deadline) {
  int unsent = 1;
  while ((unsent = PQflush(connection_.get())) == 1) {
    CORTEX_RETURN_IF_ERROR(wait(POLLIN | POLLOUT, deadline));
    if (PQconsumeInput(connection_.get()) != 1) return lose();
  }
  return unsent == 0 ? Status() : lose();
}

Status PostgresqlSession::wait_for_result(TimePoint deadline) {
  while (PQisBusy(connection_.get()) == 1) {
    CORTEX_RETURN_IF_ERROR(wait(POLLIN, deadline));
    if (PQconsumeInput(connection_.get()) != 1) return lose();
  }
  return {};
}

Status PostgresqlSession::send(const PostgresqlCommand& command) {
  pg_conn* connection = connection_.get();
  int sent = 0;
  if (command.kind == PostgresqlCommand::Kind::kPrepare) {
    sent = PQsendPrepare(
        connection,
        command.name.c_str(),
        command.text.c_str(),
        static_cast<int>(command.types.size()),
        command.types.data()
    );
  } else {
    const BoundParameters bound(command.parameters);
    const bool plain = command.kind == PostgresqlCommand::Kind::kPlain;
    sent = plain ? PQsendQueryParams(
                       connection,
                       command.text.c_str(),
                       bound.count(),
                       nullptr,
                       bound.values(),
                       bound.lengths(),
                       bound.formats(),
                       0
                   )
                 : PQsendQueryPrepared(
                       connection,
                       command.name.c_str(),
                       bound.count(),
                       bound.values(),
                       bound.lengths(),
                       bound.formats(),
                       0
                   );
  }
  return sent == 1 ? Status() : lose();
}

Status PostgresqlSession::exchange(
    std::span<const PostgresqlCommand> commands, TimePoint deadline, const OnResult& on_result
) {
  if (lost_) return lost_connection("the connection was lost before");
  for (const PostgresqlCommand& command : commands) CORTEX_RETURN_IF_ERROR(send(command));
  if (PQpipelineSync(connection_.get()) != 1) return lose();
  CORTEX_RETURN_IF_ERROR(flush(deadline));
  return receive(deadline, on_result);
}

Status PostgresqlSession::receive(TimePoint deadline, const OnResult& on_result) {
  const bool pipeline = PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF;
  Status first;
  for (std::size_t index = 0;;) {
    CORTEX_RETURN_IF_ERROR(wait_for_result(deadline));
    const ResultHandle result(PQgetResult(connection_.get()));
    if (!result) {
      if (PQstatus(connection_.get()) == CONNECTION_BAD) return first.ok() ? lose() : first;
      if (!pipeline) return first;
      ++index;
      continue;
    }
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_PIPELINE_SYNC) return first;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      on_result(index, *result);
    } else if (first.ok() && status != PGRES_PIPELINE_ABORTED && status != PGRES_EMPTY_QUERY) {
      first = error_of(*result);
    }
    if (lost_) return first;
  }
}

Status PostgresqlSession::error_of(const pg_result& result) {
  const std::string severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const std::string state = field(result, PG_DIAG_SQLSTATE);
  if (PQstatus(connection_.get()) == CONNECTION_BAD || state.empty()) return lose();
  if (severity == "FATAL" || severity == "PANIC") lost_ = true;
  const std::string constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
  std::string detail = state + " " + field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (!constraint.empty()) detail.append(" (").append(constraint).append(")");
  return postgresql_status(state, std::move(detail));
}

Status PostgresqlSession::run_script(const std::string& sql, TimePoint deadline) {
  if (lost_) return lost_connection("the connection was lost before");
  pg_conn* connection = connection_.get();
  if (PQexitPipelineMode(connection) != 1) return lose();
  if (PQsendQuery(connection, sql.c_str()) != 1) return lose();
  CORTEX_RETURN_IF_ERROR(flush(deadline));
  Status status = receive(deadline, [](std::size_t, const pg_result&) {});
  if (!lost_ && PQenterPipelineMode(connection) != 1) return lose();
  return status;
}

Status PostgresqlSession::wait_for_notice(TimePoint deadline) {
  const int ready = poll_both(POLLIN, deadline);
  if (ready < 0 || (ready > 0 && PQconsumeInput(connection_.get()) != 1)) return lose();
  return {};
}

std::optional<std::string> PostgresqlSession::next_notification() {
  struct Free {
    void operator()(PGnotify* notification) const { PQfreemem(notification); }
  };
  const std::unique_ptr<PGnotify, Free> notification(PQnotifies(connection_.get()));
  if (!notification) return std::nullopt;
  return std::string(notification->extra);
}

}  // namespace cortex::store
