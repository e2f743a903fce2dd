// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace cortex::app {

struct ChildOptions {
  std::string program;                      // its path; PATH is not searched
  std::string name;                         // as process lists show it
  std::vector<std::string> arguments;       // without the name
  std::vector<std::string> environment;     // "NAME=value"; nothing else is passed on
  std::string input;                        // what it reads on its standard input
  TimePoint deadline = kNoDeadline;         // in the machine's time; then it is killed
  std::size_t output_bytes_max = 64 << 10;  // of its standard output; what comes after is dropped
  std::size_t log_bytes_max = 8 << 10;      // of its standard error; the end is kept
  std::uint64_t resident_bytes_max = 0;     // above it, it is killed; 0: no limit
  const std::atomic<bool>* stop = nullptr;  // once true, it is killed within 50 ms
};

enum class ChildEnd : std::uint8_t { kExited, kSignalled, kTimedOut, kTooLarge, kStopped };

struct ChildOutcome {
  ChildEnd end = ChildEnd::kExited;
  int code = 0;  // the exit status, or the signal
  std::string output;
  std::string log;
  std::uint64_t resident_bytes = 0;  // the most that was seen, every 50 ms
};

// Runs a program and waits for its end: exec'ed, never a fork that goes on in our memory; in a
// process group of its own, with no signal blocked and none of our files but the three standard
// ones. Whatever is left of its group is killed. Blocks. kUnavailable when it cannot be started.
// Thread-safe.
[[nodiscard]] Result<ChildOutcome> run_child(const ChildOptions& options);

}  // namespace cortex::app
