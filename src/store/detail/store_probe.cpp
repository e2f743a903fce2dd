// SPDX-License-Identifier: Apache-2.0
#include "store/detail/store_probe.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace cortex::store {
namespace {

bool is_lost(Code code) {
  return code == Code::kUnavailable || code == Code::kDataLoss || code == Code::kResourceExhausted;
}

bool is_fault(Code code) {
  return is_lost(code) || code == Code::kInternal || code == Code::kDeadlineExceeded;
}

}  // namespace

void StoreProbe::count_commit(std::size_t works) {
  ++commits_;
  works_ += works;
}

void StoreProbe::observe(Side side, const Status& status) {
  if (is_fault(status.code())) ++failures_;
  if (status.code() == Code::kInternal) {
    log::error("the database refused a statement", {{"error", status.to_string()}});
  }
  set(side, is_lost(status.code()) ? status : Status());
}

void StoreProbe::found() {
  set(Side::kReading, Status());
  set(Side::kWriting, Status());
}

void StoreProbe::set(Side side, const Status& lost) {
  const auto index = static_cast<std::size_t>(side);
  if (available_.at(index).load() == lost.ok()) return;
  MutexLock lock(mutex_);
  if (available_.at(index).exchange(lost.ok()) == lost.ok()) return;
  lost_.at(index) = lost;
  lost_at_.at(index) = unix_milliseconds();
  const char* what = side == Side::kReading ? "reading" : "writing";
  if (lost.ok()) {
    log::info("the database is back", {{"for", what}});
  } else {
    log::error("the database is not available", {{"for", what}, {"error", lost.to_string()}});
  }
}

StoreHealth StoreProbe::health() const {
  StoreHealth health;
  health.commits = commits_.load();
  health.works = works_.load();
  health.failures = failures_.load();
  health.refusals = refusals_.load();
  MutexLock lock(mutex_);
  for (std::size_t side = 0; side < lost_.size(); ++side) {
    if (lost_.at(side).ok()) continue;
    const std::int64_t since = lost_at_.at(side);
    health.lost_since = health.available ? since : std::min(since, health.lost_since);
    health.available = false;
    health.reason = lost_.at(side).text();
  }
  return health;
}

}  // namespace cortex::store
