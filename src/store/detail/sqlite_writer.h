// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "store/detail/change_feed.h"
#include "store/detail/sqlite_connection.h"
#include "store/detail/store_probe.h"
#include "store/detail/work_queue.h"
#include "store/detail/work_transaction.h"

namespace cortex::store {

// Runs groups of works on the one connection that writes. A group is one transaction, with a
// savepoint for each work, and is made durable by one sync; when the group as a whole fails, its
// works run again one by one, so that each gets an answer of its own. Thread: the writer's.
class SqliteWriter {
 public:
  SqliteWriter(std::unique_ptr<SqliteConnection> connection, ChangeFeed& feed, StoreProbe& probe);

  // Every done() is called before it returns.
  void run(std::vector<PendingWork>& group) noexcept;

 private:
  // True when the transaction of all was committed; else nothing of it is there.
  bool run_together(std::vector<PendingWork>& group, std::vector<WorkOutcome>& outcomes);
  WorkOutcome run_alone(PendingWork& pending);
  WorkOutcome run_work(PendingWork& pending);
  WorkOutcome run_in_savepoint(PendingWork& pending);
  Status begin(Durability durability);
  Status commit();
  void roll_back();
  void answer(std::vector<PendingWork>& group, const std::vector<WorkOutcome>& outcomes);

  const std::unique_ptr<SqliteConnection> connection_;
  ChangeFeed& feed_;
  StoreProbe& probe_;
  Durability durability_ = Durability::kStrict;  // of the connection; SQLite's default is FULL
};

}  // namespace cortex::store
