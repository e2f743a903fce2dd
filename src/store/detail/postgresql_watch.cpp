// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_watch.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include "store/detail/schema_steps.h"

namespace cortex::store {
namespace {

// Without a notice the counter is read this often.
constexpr std::chrono::seconds kSlowPoll{5};
// How long a false alarm of a worker's holds.
constexpr std::chrono::milliseconds kTick{500};
// What connecting and each statement of the watch may take.
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::seconds kLongestPause{5};

std::int64_t revision_of(std::string_view notification) {
  std::int64_t revision = 0;
  std::from_chars(notification.data(), notification.data() + notification.size(), revision);
  return revision;
}

}  // namespace

PostgresqlWatch::PostgresqlWatch(
    PostgresqlAddress address, std::string channel, ChangeFeed& feed, StoreProbe& probe
)
    : address_(std::move(address)),
      channel_(std::move(channel)),
      feed_(feed),
      probe_(probe),
      thread_("store-watch", [this] { run(); }) {}

PostgresqlWatch::~PostgresqlWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  condition_.notify_all();
  wake_.wake();
}

Status PostgresqlWatch::reachable() const {
  MutexLock lock(mutex_);
  return lost_;
}

void PostgresqlWatch::report_lost(const Status& why) {
  probe_.observe(StoreProbe::Side::kReading, why);
  MutexLock lock(mutex_);
  lost_ = why;
}

bool PostgresqlWatch::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void PostgresqlWatch::pause(Duration time) const {
  const TimePoint end = steady_clock().now() + time;
  MutexLock lock(mutex_);
  while (!stopping_ && condition_.wait_until(mutex_, end)) continue;
}

// A connection that ended is replaced at once; only when that fails is the server taken for lost.
void PostgresqlWatch::run() {
  Duration wait = kFirstPause;
  while (!stopping()) {
    const std::uint64_t before = answers_;
    const Status ended = follow();
    if (stopping()) return;
    if (answers_ != before) {
      wait = kFirstPause;
      continue;
    }
    report_lost(ended);
    pause(wait);
    wait = std::min<Duration>(wait * 2, kLongestPause);
  }
}

Status PostgresqlWatch::read_counter(PostgresqlConnection& connection) {
  connection.set_deadline(steady_clock().now() + kPatience);
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t revision, read_revision(connection));
  feed_.advance(revision);
  return {};
}

void PostgresqlWatch::report_found() {
  probe_.found();
  MutexLock lock(mutex_);
  lost_ = Status();
}

Status PostgresqlWatch::follow() {
  CORTEX_ASSIGN_OR_RETURN(
      const auto connection,
      PostgresqlConnection::connect(address_, steady_clock().now() + kPatience, wake_.file())
  );
  CORTEX_RETURN_IF_ERROR(connection->run_script("LISTEN " + channel_));
  while (!stopping()) {
    CORTEX_RETURN_IF_ERROR(read_counter(*connection));
    ++answers_;
    report_found();
    CORTEX_RETURN_IF_ERROR(listen(connection->session()));
  }
  return {};
}

// Until the next slow poll, or until somebody else found the server lost: that may be over already.
Status PostgresqlWatch::listen(PostgresqlSession& session) {
  const TimePoint end = steady_clock().now() + kSlowPoll;
  while (!stopping() && steady_clock().now() < end && reachable().ok()) {
    CORTEX_RETURN_IF_ERROR(session.wait_for_notice(steady_clock().now() + kTick));
    while (const auto notification = session.next_notification()) {
      feed_.advance(revision_of(*notification));
    }
  }
  return {};
}

}  // namespace cortex::store
