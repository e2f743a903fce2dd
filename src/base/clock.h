// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace cortex {

// Monotonic time. Wall time is for logs and stored rows alone.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// No deadline: later than every moment a process reaches.
inline constexpr TimePoint kNoDeadline = TimePoint::max();

// The one source of time, so that tests and simulations can move it. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

// The machine's clock. Lives as long as the process.
[[nodiscard]] const Clock& steady_clock();

// A clock that stands still until a test moves it. Thread-safe.
class VirtualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(ticks_.load())); }
  void advance(Duration by) { ticks_ += by.count(); }

 private:
  // Starts above zero, so that "an hour ago" is a moment too.
  std::atomic<Duration::rep> ticks_{1'000'000'000'000'000};
};

// Milliseconds since the Unix epoch, for logs and stored rows.
[[nodiscard]] std::int64_t unix_milliseconds();

}  // namespace cortex
