// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace cortex::app {

enum class Signal { kNone, kStop, kRescan };

// Keeps SIGTERM, SIGINT and SIGHUP from interrupting any thread: next_signal() takes them instead.
// Call before the first thread starts. A broken pipe becomes an error of the write.
void hold_signals();

// Waits for one of them, at most `wait`. Thread: main.
[[nodiscard]] Signal next_signal(std::chrono::milliseconds wait);

// From now on SIGTERM and SIGINT end the process at once: the second one means it.
void let_signals_end_the_process();

}  // namespace cortex::app
