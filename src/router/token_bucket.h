// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace cortex::router {

// What may be used per minute: full at first, and refilled evenly. Whatever the window, of what is
// taken while the level is not below zero no more falls into it than one minute's share and what
// the window refills. Whole microseconds and integers: nothing is lost by rounding. A value: time
// comes in.
class TokenBucket {
 public:
  // 0: without a limit. REQUIRES: at most kQuotaMax.
  TokenBucket(std::uint64_t per_minute, TimePoint now);

  void refill(TimePoint now);

  // Of the last refill. Without a limit: everything is there, and nothing changes anything.
  [[nodiscard]] bool has(std::uint64_t count) const;
  void take(std::uint64_t count);       // may make a debt
  void give_back(std::uint64_t count);  // no more than was taken stays
  [[nodiscard]] std::uint64_t limit() const { return static_cast<std::uint64_t>(per_minute_); }
  [[nodiscard]] std::uint64_t remaining() const;  // whole ones; 0 with a debt
  [[nodiscard]] bool full() const;
  // Until has(count). REQUIRES: a limit.
  [[nodiscard]] Duration wait_for(std::uint64_t count) const;
  [[nodiscard]] Duration wait_until_full() const { return wait_for(limit()); }

 private:
  [[nodiscard]] std::int64_t full_level() const;

  std::int64_t per_minute_;
  // In sixty-millionths: a microsecond adds per_minute_ of them.
  std::int64_t level_;
  TimePoint filled_;
};

}  // namespace cortex::router
