// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread.h"
#include "store/detail/change_feed.h"
#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_connection.h"
#include "store/detail/store_probe.h"
#include "store/detail/wake_file.h"

namespace cortex::store {

// Keeps a connection of its own to the server, on a thread of its own: it listens for changes of
// all processes (and reads the counter now and then, should a notice be lost), and it is the one
// who finds out when a lost server is back. Thread-safe.
class PostgresqlWatch {
 public:
  // `channel` is where commits tell of changes. Feed and probe outlive it.
  PostgresqlWatch(
      PostgresqlAddress address, std::string channel, ChangeFeed& feed, StoreProbe& probe
  );
  ~PostgresqlWatch();

  // OK, or why the server is taken for lost, at once: nobody else should try to connect then.
  [[nodiscard]] Status reachable() const;
  // Somebody failed to connect.
  void report_lost(const Status& why);

 private:
  void run();
  bool stopping() const;
  // Follows the feed until the connection ends.
  Status follow();
  Status listen(PostgresqlSession& session);
  Status read_counter(PostgresqlConnection& connection);
  void report_found();
  // Until the moment, or until the end of all this.
  void pause(Duration time) const;

  const PostgresqlAddress address_;
  const std::string channel_;
  ChangeFeed& feed_;
  StoreProbe& probe_;
  WakeFile wake_;
  std::uint64_t answers_ = 0;  // of the server, to know a connection that worked; thread_ only
  mutable Mutex mutex_;
  mutable Condition condition_;
  Status lost_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace cortex::store
