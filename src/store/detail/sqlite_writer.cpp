// SPDX-License-Identifier: Apache-2.0
#include "store/detail/sqlite_writer.h"

#include <algorithm>
#include <utility>

namespace cortex::store {

SqliteWriter::SqliteWriter(
    std::unique_ptr<SqliteConnection> connection, ChangeFeed& feed, StoreProbe& probe
)
    : connection_(std::move(connection)), feed_(feed), probe_(probe) {}

void SqliteWriter::run(std::vector<PendingWork>& group) noexcept {
  std::vector<WorkOutcome> outcomes(group.size());
  if (group.size() == 1 || !run_together(group, outcomes)) {
    std::transform(group.begin(), group.end(), outcomes.begin(), [this](PendingWork& pending) {
      return run_alone(pending);
    });
  }
  answer(group, outcomes);
}

bool SqliteWriter::run_together(
    std::vector<PendingWork>& group, std::vector<WorkOutcome>& outcomes
) {
  const bool strict = std::any_of(group.begin(), group.end(), [](const PendingWork& pending) {
    return pending.durability == Durability::kStrict;
  });
  if (!begin(strict ? Durability::kStrict : Durability::kRelaxed).ok()) return false;
  for (std::size_t i = 0; i < group.size(); ++i) {
    outcomes[i] = run_in_savepoint(group[i]);
    if (!connection_->in_transaction()) return false;
  }
  if (!commit().ok()) return false;
  const auto works =
      std::count_if(outcomes.begin(), outcomes.end(), [](const WorkOutcome& outcome) {
        return outcome.status.ok();
      });
  probe_.count_commit(static_cast<std::size_t>(works));
  return true;
}

// A statement that fails in the middle can cost SQLite the whole transaction; so can a savepoint
// that cannot be undone, which is then rolled back here.
WorkOutcome SqliteWriter::run_in_savepoint(PendingWork& pending) {
  if (Status status = connection_->run_script("SAVEPOINT work"); !status.ok()) {
    roll_back();
    return WorkOutcome(std::move(status));
  }
  WorkOutcome outcome = run_work(pending);
  if (!connection_->in_transaction()) return outcome;
  const char* end = outcome.status.ok() ? "RELEASE work" : "ROLLBACK TO work; RELEASE work";
  if (!connection_->run_script(end).ok()) roll_back();
  return outcome;
}

WorkOutcome SqliteWriter::run_alone(PendingWork& pending) {
  if (Status status = begin(pending.durability); !status.ok())
    return WorkOutcome(std::move(status));
  WorkOutcome outcome = run_work(pending);
  if (outcome.status.ok()) {
    if (Status status = commit(); !status.ok()) return WorkOutcome(std::move(status));
    probe_.count_commit(1);
  } else {
    roll_back();
  }
  return outcome;
}

WorkOutcome SqliteWriter::run_work(PendingWork& pending) {
  if (steady_clock().now() >= pending.deadline) {
    return WorkOutcome(deadline_exceeded("the work waited too long for the database"));
  }
  connection_->set_deadline(pending.deadline);
  WorkTransaction transaction(*connection_);
  WorkOutcome outcome = transaction.run(pending.work);
  connection_->set_deadline(kNoDeadline);
  return outcome;
}

// The setting can be changed between transactions only.
Status SqliteWriter::begin(Durability durability) {
  if (durability != durability_) {
    const bool strict = durability == Durability::kStrict;
    CORTEX_RETURN_IF_ERROR(connection_->run_script(
        strict ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"
    ));
    durability_ = durability;
  }
  return connection_->run_script("BEGIN IMMEDIATE");
}

Status SqliteWriter::commit() {
  Status status = connection_->run_script("COMMIT");
  if (!status.ok()) roll_back();
  return status;
}

void SqliteWriter::roll_back() {
  if (!connection_->in_transaction()) return;
  const Status status = connection_->run_script("ROLLBACK");
  CHECK(status.ok() || !connection_->in_transaction(), "SQLite always ends a transaction");
}

void SqliteWriter::answer(
    std::vector<PendingWork>& group, const std::vector<WorkOutcome>& outcomes
) {
  std::int64_t newest = 0;
  for (const WorkOutcome& outcome : outcomes) {
    if (outcome.status.ok()) newest = std::max(newest, outcome.noted);
    probe_.observe(StoreProbe::Side::kWriting, outcome.database);
  }
  feed_.advance(newest);
  for (std::size_t i = 0; i < group.size(); ++i) group[i].done(outcomes[i].status);
}

}  // namespace cortex::store
