// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex {

// Prints place, condition and reason to standard error and ends the process. For our own bugs
// alone: a condition that a caller, a peer or a file can break is a Status.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why);

}  // namespace cortex

// On in every build.
#define CHECK(condition, why)                                      \
  do {                                                             \
    if (!(condition)) [[unlikely]] {                               \
      ::cortex::check_failed(__FILE__, __LINE__, #condition, why); \
    }                                                              \
  } while (false)
