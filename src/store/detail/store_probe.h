// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/mutex.h"
#include "base/status.h"
#include "store/store.h"

namespace cortex::store {

// What a store counts, and whether its database answers. Thread-safe.
class StoreProbe {
 public:
  // A full disk still reads.
  enum class Side : std::uint8_t { kReading, kWriting };

  void count_commit(std::size_t works);
  void count_refusal() { ++refusals_; }
  // Looks at the database's part of a work's outcome: faults are counted, and those that say it is
  // lost, full or broken make it unavailable until works of the same kind find no such fault.
  void observe(Side side, const Status& status);
  // The database answers again.
  void found();

  // `waiting` is left to the caller.
  [[nodiscard]] StoreHealth health() const;

 private:
  void set(Side side, const Status& lost);

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> works_{0};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<std::uint64_t> refusals_{0};
  std::array<std::atomic<bool>, 2> available_{true, true};  // by side; a look without the lock
  mutable Mutex mutex_;
  std::array<Status, 2> lost_ GUARDED_BY(mutex_);
  std::array<std::int64_t, 2> lost_at_ GUARDED_BY(mutex_){};  // milliseconds since the epoch
};

}  // namespace cortex::store
