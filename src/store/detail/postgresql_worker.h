// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <random>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "store/detail/change_feed.h"
#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_connection.h"
#include "store/detail/postgresql_watch.h"
#include "store/detail/store_probe.h"
#include "store/detail/work_queue.h"
#include "store/detail/work_transaction.h"

namespace cortex::store {

// What the workers of one store share; it outlives them.
struct PostgresqlShared {
  const PostgresqlAddress& address;
  const std::string& channel;
  ChangeFeed& feed;
  StoreProbe& probe;
  PostgresqlWatch& watch;
};

// Runs works, each as a transaction, on a connection of its own, which it makes when it needs one.
// A work that met a conflict, or whose connection ended before the commit, runs again. Thread: the
// worker's.
class PostgresqlWorker {
 public:
  using Access = PostgresqlConnection::Access;

  PostgresqlWorker(const PostgresqlShared& shared, Access access);

  // Connects, if that is possible, so that the first work need not.
  void warm_up();
  // Calls done() before it returns.
  void run(PendingWork& pending) noexcept;

 private:
  struct Attempt {
    WorkOutcome outcome;
    bool again = false;
  };

  WorkOutcome run_until_settled(PendingWork& pending);
  Attempt run_once(PendingWork& pending);
  Status connect(TimePoint deadline);
  void pause(std::size_t attempt, TimePoint deadline);

  const PostgresqlShared shared_;
  const Access access_;
  std::unique_ptr<PostgresqlConnection> connection_;  // null, or lost, until it is needed
  std::minstd_rand jitter_{std::random_device{}()};
  Mutex mutex_;  // for pauses alone
  Condition condition_;
};

}  // namespace cortex::store
