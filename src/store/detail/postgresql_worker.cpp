// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace cortex::store {
namespace {

// Every conflict means that another work was committed, so that all come through in the end.
constexpr std::size_t kAttempts = 30;
constexpr std::chrono::seconds kConnectLimit{5};
constexpr int kLongestPauseMicroseconds = 50'000;

}  // namespace

PostgresqlWorker::PostgresqlWorker(const PostgresqlShared& shared, Access access)
    : shared_(shared), access_(access) {}

void PostgresqlWorker::warm_up() {
  // A failure was reported; the first work tries again.
  [[maybe_unused]] const Status ignored = connect(steady_clock().now() + kConnectLimit);
}

void PostgresqlWorker::run(PendingWork& pending) noexcept {
  const WorkOutcome outcome = run_until_settled(pending);
  const bool writing = access_ == Access::kWriting;
  shared_.probe.observe(
      writing ? StoreProbe::Side::kWriting : StoreProbe::Side::kReading, outcome.database
  );
  pending.done(outcome.status);
}

WorkOutcome PostgresqlWorker::run_until_settled(PendingWork& pending) {
  Attempt last;
  for (std::size_t attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) pause(attempt, pending.deadline);
    if (steady_clock().now() >= pending.deadline) {
      return WorkOutcome(deadline_exceeded("the work waited too long for the database"));
    }
    if (Status status = connect(pending.deadline); !status.ok()) {
      return WorkOutcome(std::move(status));
    }
    last = run_once(pending);
    if (last.outcome.status.ok()) {
      shared_.probe.count_commit(access_ == Access::kWriting ? 1 : 0);
      shared_.feed.advance(last.outcome.noted);
    }
    if (!last.again) break;
  }
  return last.outcome;
}

// Before the commit was sent nothing of the work can be there; while it is under way, nobody knows.
PostgresqlWorker::Attempt PostgresqlWorker::run_once(PendingWork& pending) {
  connection_->begin({access_, pending.durability, pending.deadline});
  WorkTransaction transaction(*connection_);
  WorkOutcome outcome = transaction.run(pending.work);
  if (!outcome.status.ok()) {
    connection_->roll_back();
    const Code lost = outcome.database.code();
    const bool gone = lost == Code::kUnavailable && connection_->lost();
    return {std::move(outcome), gone || lost == Code::kAborted};
  }
  Status committed = connection_->commit(shared_.channel, outcome.noted);
  if (committed.ok()) return {std::move(outcome)};
  const bool again = committed.code() == Code::kAborted;
  return {WorkOutcome(std::move(committed)), again};
}

Status PostgresqlWorker::connect(TimePoint deadline) {
  if (connection_ && !connection_->lost()) return {};
  connection_.reset();
  CORTEX_RETURN_IF_ERROR(shared_.watch.reachable());
  const TimePoint limit = std::min<TimePoint>(deadline, steady_clock().now() + kConnectLimit);
  auto connected = PostgresqlConnection::connect(shared_.address, limit);
  // Once more: a server that restarts, or whose connections are ended, is not lost yet.
  if (!connected.ok()) connected = PostgresqlConnection::connect(shared_.address, limit);
  if (!connected.ok()) {
    shared_.watch.report_lost(connected.status());
    return connected.status();
  }
  connection_ = std::move(connected).value();
  return {};
}

// With jitter, so that works that met do not meet again.
void PostgresqlWorker::pause(std::size_t attempt, TimePoint deadline) {
  const int longest =
      std::min(kLongestPauseMicroseconds, 500 << std::min<std::size_t>(attempt, 10));
  std::uniform_int_distribution<int> spread(0, longest);
  const TimePoint end = std::min<TimePoint>(
      deadline, steady_clock().now() + std::chrono::microseconds(spread(jitter_))
  );
  MutexLock lock(mutex_);
  while (condition_.wait_until(mutex_, end)) continue;
}

}  // namespace cortex::store
